"""Waiters for one lock on several hosts: who takes it says when its own line will be through."""

import random
import sys
from heapq import heappop, heappush
from itertools import count
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import AlreadyLocked
from sqsjkr_gevent.intake import Permit, Permits, WaitingRoom
from sqsjkr_gevent.job import Job
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.worker import Run
from sqsjkr_gevent.worker import locks as locks_module
from sqsjkr_gevent.worker.claims import next_try_in
from sqsjkr_gevent.worker.hold_times import HoldTimes
from sqsjkr_gevent.worker.keeper import Keeper
from sqsjkr_gevent.worker.locks import Locks
from stores import Clock

HOSTS = 3
JOBS = 20
HOLD = 0.4
INTERVAL = 5.0


class Time(Clock):
    """Goes on to the next wake-up whenever all are asleep."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()
        self._asleep: list[tuple[float, int, Event]] = []

    def sleep(self, seconds: float) -> None:
        """Sleep, in this time."""
        wake = Event()
        heappush(self._asleep, (self.now + seconds, next(self._numbers), wake))
        wake.wait()

    def run(self, greenlets: list[gevent.Greenlet]) -> None:
        """Until they are over."""
        while not all(greenlet.ready() for greenlet in greenlets):
            for _ in range(5):
                gevent.sleep(0)  # Whoever can go on does.
            if self._asleep:
                self.now, _, wake = heappop(self._asleep)
                wake.set()
        for greenlet in greenlets:
            greenlet.get()


class Locker:
    """One lock for all hosts. tells: whether it passes the hints on."""

    lease = None

    def __init__(self, *, tells: bool) -> None:
        self.calls = 0
        self._tells = tells
        self._held: tuple[str, float | None] | None = None

    def acquire(self, lock_id, event_id, *, owner, heir_of=None, free_in=None):
        """See LeasedLocker."""
        self.calls += 1
        if self._held is not None:
            holder, told = self._held
            raise AlreadyLocked("held", holder=holder, free_in=told if self._tells else None)
        self._held = owner, free_in

    def release(self, lock_id, owner):
        """See LeasedLocker."""
        assert owner == self._held[0]
        self._held = None


def run_of(owner: str) -> Run:
    """A run that wants the lock."""
    body = '{"command": "true", "lock_id": "L"}'
    message = Message(id=owner, body=body, receipt_handle="r", sent_at=0.0)
    run = Run(message, Permit(Permits(1, WaitingRoom(), max_waiting=1)), owner, lambda: 0.0)
    run.job = Job.from_message(message)
    return run


def fleet(monkeypatch, *, tells: bool) -> tuple[float, int]:
    """How much longer than the backlog the last of all jobs takes, and the calls for the lock."""
    time, locker = Time(), Locker(tells=tells)
    monkeypatch.setattr(locks_module, "gevent", SimpleNamespace(sleep=time.sleep))

    def job(locks: Locks, owner: str) -> None:
        with locks.holding(run_of(owner)):
            time.sleep(HOLD)

    began = time.now
    jobs = []
    for host in range(HOSTS):
        locks = Locks(locker, Keeper(time), WaitingRoom(), retry_interval=INTERVAL)
        jobs += [gevent.Greenlet(job, locks, f"{host}:{number}") for number in range(JOBS)]
    for greenlet in jobs:
        greenlet.start()
    time.run(jobs)
    return time.now - began - HOSTS * JOBS * HOLD, locker.calls


def test_the_last_waiter_on_several_hosts_waits_little_longer_than_the_backlog(monkeypatch):
    """The lock stood free until another host's next look, each time a host was through with it."""
    plain, hinted = [], []
    for seed in range(20):
        random.seed(seed)
        plain.append(fleet(monkeypatch, tells=False))
        random.seed(seed)
        hinted.append(fleet(monkeypatch, tells=True))
    beyond, calls = (sum(column) / 20 for column in zip(*plain, strict=True))
    beyond_hinted, calls_hinted = (sum(column) / 20 for column in zip(*hinted, strict=True))
    sys.stdout.write(f"beyond the backlog: {beyond:.1f} s, {beyond_hinted:.1f} s with hints\n")
    sys.stdout.write(f"calls: {calls:.0f}, {calls_hinted:.0f} with hints\n")
    assert beyond_hinted <= beyond / 2
    assert calls_hinted <= 1.1 * calls


def test_a_holder_that_is_late_is_looked_for_as_often_as_without_a_guess(monkeypatch):
    """A job that takes longer than those before it, or a host that died: no look each second."""

    def looks(*, tells: bool) -> int:
        random.seed(1)
        time, locker = Time(), Locker(tells=tells)
        monkeypatch.setattr(locks_module, "gevent", SimpleNamespace(sleep=time.sleep))
        locker._held = "late", 0.1
        locks = Locks(locker, Keeper(time), WaitingRoom(), retry_interval=INTERVAL)

        def end() -> None:
            time.sleep(600)
            locker._held = None

        def wait() -> None:
            with locks.holding(run_of("waiter")):
                pass

        time.run([gevent.spawn(end), gevent.spawn(wait)])
        return locker.calls

    assert abs(looks(tells=True) - looks(tells=False)) <= 10


@pytest.mark.parametrize(
    ("lapses_in", "free_in", "least", "most"),
    [
        (None, None, 2.5, 5.0),
        (None, 0.0, 0.5, 1.0),
        (None, 1.5, 1.5, 1.5),
        (None, 60.0, 2.5, 5.0),
        (0.2, 60.0, 0.2, 0.2),
        (60.0, 0.1, 0.5, 1.0),
    ],
)
def test_a_lock_is_looked_for_when_it_may_be_free(lapses_in, free_in, least, most):
    """Not before, not much later, and never less often than without a hint."""
    for _ in range(50):
        assert least <= next_try_in(lapses_in, INTERVAL, free_in) <= most


def test_the_usual_time_of_a_lock_follows_its_last_ones():
    """And nothing is said of a lock that was not held yet."""
    clock = Clock()
    times = HoldTimes(clock)
    assert None is times.of("L", 3)
    for seconds in (4.0, 2.0):
        with times.measured("L"):
            clock.now += seconds
    assert (9.0, None) == (times.of("L", 3), times.of("M", 3))
