"""How many messages are received ahead, played by a clock that is set by hand."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

import pytest

from sqsjkr_gevent.intake import Permit, Permits, WaitingRoom
from sqsjkr_gevent.intake.ahead import Ahead
from stores import Clock

#: Of one kicker, as in its config.
RECEIVERS = 8


@pytest.fixture
def clock() -> Clock:
    """One."""
    return Clock()


class World:
    """A queue of jobs, known by their seconds, and kickers that share it."""

    def __init__(self, jobs: list[float]) -> None:
        self.clock = Clock()
        self.jobs = deque(jobs)
        self.kickers: list[Host] = []
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Make the call then."""
        heapq.heappush(self._events, (self.clock.now + seconds, next(self._numbers), call))

    def turns(self) -> float:
        """Run until nothing is left to do; returns how many seconds that took."""
        began = self.clock.now
        for kicker in self.kickers:
            kicker.receive()
        while self._events:
            self.clock.now, _, call = heapq.heappop(self._events)
            call()
        return self.clock.now - began


class Host:
    """A kicker's receives and slots. to_slot: seconds of the calls to its stores before one."""

    def __init__(self, world: World, slots: int, receive: float, to_slot: float) -> None:
        self.permits = Permits(slots, WaitingRoom(), max_waiting=10_000, clock=world.clock)
        self.begun: list[float] = []
        self.most_waited = 0.0
        self._world = world
        self._receive_takes = receive
        self._to_slot = to_slot
        self._idle = slots
        self._receiving = 0
        self._waiting: deque[tuple[Permit, float, float]] = deque()
        world.kickers.append(self)

    def receive(self) -> None:
        """As many receives as there are permits and receivers for."""
        while self._world.jobs and self._receiving < RECEIVERS:
            taken = self.permits.gather(10, 0, 0)
            if not taken:
                return
            self._receiving += 1
            self._world.after(self._receive_takes, lambda taken=taken: self._received(taken))

    def _received(self, taken: int) -> None:
        self._receiving -= 1
        jobs = [self._world.jobs.popleft() for _ in range(min(taken, len(self._world.jobs)))]
        if len(jobs) == taken:
            self.permits.received_in(self._receive_takes)
        self.permits.give(taken - len(jobs))
        for seconds in jobs:
            permit = Permit(self.permits)
            self._world.after(self._to_slot, lambda p=permit, s=seconds: self._at_slot(p, s))
        self.receive()

    def _at_slot(self, permit: Permit, seconds: float) -> None:
        permit.at_slot()
        self._waiting.append((permit, seconds, self._world.clock.now))
        self._fill()

    def _fill(self) -> None:
        while self._idle and self._waiting:
            permit, seconds, since = self._waiting.popleft()
            self._idle -= 1
            permit.in_slot()
            self.begun.append(seconds)
            self.most_waited = max(self.most_waited, self._world.clock.now - since)
            self._world.after(seconds, lambda permit=permit: self._ended(permit))

    def _ended(self, permit: Permit) -> None:
        self._idle += 1
        permit.close()
        self._fill()
        self.receive()


def test_short_jobs_keep_the_slots_busy_however_long_the_way_to_a_slot_is():
    """With the receive alone counted, the calls to the stores left a third of the slots idle."""
    world = World([0.02] * 8000)
    host = Host(world, 16, receive=0.015, to_slot=0.03)
    ideal = 8000 * 0.02 / 16
    assert ideal * 1.1 >= world.turns()
    assert 8000 == len(host.begun)


@pytest.mark.parametrize(("receive", "to_slot"), [(0.015, 0.03), (0.015, 0.0), (0.9, 0.9)])
def test_two_kickers_of_one_slot_share_long_jobs(receive, to_slot):
    """Decision 0004: neither holds a message that the other could run."""
    world = World([4.0] * 10)
    one, other = (Host(world, 1, receive, to_slot) for _ in range(2))
    assert 5 * (4.0 + receive + to_slot) == pytest.approx(world.turns())
    assert ([4.0] * 5, [4.0] * 5) == (one.begun, other.begun)


@pytest.mark.parametrize("seconds", [4.0, 10.0, 60.0])
def test_none_is_ahead_while_long_jobs_end_together(seconds):
    """Jobs that started together do, in each turn: that many in an instant is not their rate."""
    world = World([seconds] * 640)
    host = Host(world, 64, receive=0.015, to_slot=0.03)
    other = Host(world, 64, receive=0.015, to_slot=0.03)
    world.turns()
    assert (320, 320) == (len(host.begun), len(other.begun))
    assert seconds / 4 > max(host.most_waited, other.most_waited)


def test_long_jobs_after_a_burst_of_short_ones_are_shared_from_the_next_second_on():
    """What came ahead while jobs were short waits; nothing more comes until a slot is free."""
    world = World([0.01] * 4000 + [10.0] * 64)
    hosts = [Host(world, 4, receive=0.015, to_slot=0.03) for _ in range(2)]
    world.turns()
    longs = [host.begun.count(10.0) for host in hosts]
    assert 4 >= abs(longs[0] - longs[1])


def a_while(ahead: Ahead, clock: Clock, *, every: float, ran: float, to_slot: float) -> None:
    """A minute of jobs, and receives of 20 ms."""
    for _ in range(round(60 / every)):
        clock.now += every
        ahead.received_in(0.02)
        ahead.at_slot_in(to_slot)
        ahead.ended(ran)


@pytest.mark.parametrize(
    ("slots", "every", "ran", "to_slot", "expected"),
    [
        (64, 0.001, 0.06, 0.0, 30),  # 20 end during a receive, and a batch is 10.
        (64, 0.001, 0.06, 0.05, 80),
        (64, 0.0001, 0.006, 0.05, 256),  # Never more than four times the slots.
        (1, 0.01, 0.01, 0.05, 4),
        (20, 0.1, 2.0, 0.5, 10),  # A slow store: never more than end in a second.
        (64, 4 / 64, 4.0, 0.03, 0),  # 64 jobs of 4 seconds.
        (1, 2.0, 2.0, 5.0, 0),  # A slow store in front of long jobs.
    ],
)
def test_as_many_are_ahead_as_jobs_end_on_the_way_to_a_slot(
    clock, slots, every, ran, to_slot, expected
):
    """So that short jobs never wait for a call, and a long one is left to whoever is free."""
    ahead = Ahead(slots, clock)
    a_while(ahead, clock, every=every, ran=ran, to_slot=to_slot)
    assert expected == pytest.approx(ahead.number(10), abs=0.07 * expected)


def test_what_was_measured_is_forgotten_within_seconds(clock):
    """Jobs that no longer end are not short any more."""
    ahead = Ahead(64, clock)
    a_while(ahead, clock, every=0.001, ran=0.06, to_slot=0.03)
    assert 50 < ahead.number(10)
    clock.now += 5
    assert 0 == ahead.number(10)


def test_none_is_ahead_before_anything_is_known(clock):
    """Nor while no receive has been full, nor after a night without jobs."""
    ahead = Ahead(64, clock)
    assert 0 == ahead.number(10)
    ahead.ended(0.01)
    assert 0 == ahead.number(10)
    a_while(ahead, clock, every=0.001, ran=0.06, to_slot=0.03)
    clock.now += 1e6
    assert 0 == ahead.number(10)


def test_one_receive_that_waited_long_changes_little(clock):
    """The quickest count: they say what the way to SQS and back takes."""
    ahead = Ahead(64, clock)
    a_while(ahead, clock, every=0.001, ran=0.06, to_slot=0.0)
    before = ahead.number(10)
    ahead.received_in(20)
    assert before + 1 >= ahead.number(10) >= before
