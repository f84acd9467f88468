"""The keeper over a scripted clock: each test makes its turns itself."""

from collections.abc import Callable
from itertools import count

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import LeaseLost, ReceiptHandleInvalid, StoreError
from sqsjkr_gevent.worker.keeper import Keeper, Lease, margin

#: Renewed from 10 s on, given up 20 s after the last renewal.
LEASE = 30.0


class Scene:
    """A keeper, its clock, and what its leases do and lose.

    fault: raised by every renewal, None for success. gate: renewals wait for it.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.keeper = Keeper(lambda: self.now)
        self.fault: Exception | None = None
        self.gate = Event()
        self.gate.set()
        self.asked: list[float] = []
        self.lost: list[tuple[str, float]] = []

    def keep(self, what: str = "lock", since: float | None = None) -> Lease:
        """Keep a lease that begins now, or began at `since`."""
        return self.keeper.keep(
            what, LEASE, self.renew, lambda what, left: self.lost.append((what, left)), since
        )

    def renew(self) -> None:
        """A renewal."""
        self.asked.append(round(self.now - 1000.0, 3))
        self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def at(self, seconds: float) -> None:
        """A turn at that time, and what it started."""
        self.now = 1000.0 + seconds
        self.keeper.turn()
        gevent.sleep(0)


@pytest.fixture
def scene() -> Scene:
    """Nothing kept yet."""
    return Scene()


def test_a_lease_is_renewed_when_a_third_of_it_has_passed_and_not_before(scene: Scene) -> None:
    """And again a third after the renewal was asked for."""
    scene.keep()
    scene.at(9.9)
    assert [] == scene.asked
    scene.at(10.1)
    scene.at(10.2)
    assert [10.1] == scene.asked
    scene.at(20.0)
    assert [10.1] == scene.asked
    scene.at(20.2)
    assert [10.1, 20.2] == scene.asked
    assert [] == scene.lost


def test_a_lease_counts_from_before_it_was_asked_for(scene: Scene) -> None:
    """The store may have begun it then; the answer took its time."""
    scene.keep(since=992.0)
    scene.at(2.0)
    assert [2.0] == scene.asked


def test_a_renewed_lease_counts_from_before_the_renewal_was_asked_for(scene: Scene) -> None:
    """A slow answer does not make it longer."""
    scene.keep()
    scene.gate.clear()
    scene.at(10.0)
    scene.at(18.0)
    scene.gate.set()
    gevent.sleep(0)
    scene.at(19.9)
    assert [10.0] == scene.asked
    scene.at(20.0)
    assert [10.0, 20.0] == scene.asked


def test_one_renewal_is_under_way_at_a_time(scene: Scene) -> None:
    """However often the keeper looks while a store is slow."""
    scene.keep()
    scene.gate.clear()
    for tenths in range(100, 200, 5):
        scene.at(tenths / 10)
    assert [10.0] == scene.asked
    scene.gate.set()


def test_leases_are_renewed_beside_each_other(scene: Scene) -> None:
    """A store that hangs for one keeps no other from being renewed."""
    scene.keep()
    scene.gate.clear()
    scene.keep()
    scene.at(10.0)
    assert [10.0, 10.0] == scene.asked
    scene.gate.set()


def test_a_failed_renewal_is_repeated_with_back_off(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 0.5, 1 and 2 seconds, within a lease of 30 s."""
    monkeypatch.setattr("sqsjkr_gevent.backoff.jittered", lambda seconds: seconds)
    scene.keep()
    scene.fault = StoreError("down")
    for tenths in range(100, 150):
        scene.at(tenths / 10)
    assert [10.0, 10.5, 11.5, 13.5] == scene.asked
    assert [] == scene.lost


def test_a_renewal_that_succeeds_after_failures_is_as_good_as_any(scene: Scene) -> None:
    """The lease is whole again, and the next failure is the first."""
    lease = scene.keep()
    scene.fault = StoreError("down")
    scene.at(10.0)
    scene.fault = None
    scene.at(19.0)
    scene.at(28.9)
    assert [10.0, 19.0] == scene.asked
    scene.at(29.1)
    assert ([10.0, 19.0, 29.1], [], False) == (scene.asked, scene.lost, lease.is_over)


def test_the_back_off_starts_over_after_a_success(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failures of an earlier outage do not slow the next renewals down."""
    monkeypatch.setattr("sqsjkr_gevent.backoff.jittered", lambda seconds: seconds)
    scene.keep()
    for seconds in (10.0, 10.5):
        scene.fault = StoreError("down")
        scene.at(seconds)
    scene.fault = None
    scene.at(11.5)
    scene.fault = StoreError("down")
    scene.at(21.5)
    scene.at(22.0)
    assert [10.0, 10.5, 11.5, 21.5, 22.0] == scene.asked


def test_a_lease_that_cannot_be_renewed_is_given_up_before_its_end(scene: Scene) -> None:
    """Once, with the time that is left to kill a job in."""
    lease = scene.keep("lock of a job")
    scene.fault = StoreError("down")
    for seconds in range(10, 20):
        scene.at(float(seconds))
    assert ([], False) == (scene.lost, lease.is_over)
    scene.at(20.5)
    assert ([("lock of a job", 9.5)], True) == (scene.lost, lease.is_over)
    scene.at(21.0)
    scene.at(40.0)
    assert [("lock of a job", 9.5)] == scene.lost
    assert 20.0 > max(scene.asked)


def test_a_lease_is_given_up_while_a_renewal_hangs(scene: Scene) -> None:
    """A store that never answers gives no more time than one that fails."""
    scene.keep()
    scene.gate.clear()
    scene.at(10.0)
    scene.at(20.0)
    assert [("lock", 10.0)] == scene.lost
    scene.gate.set()
    gevent.sleep(0)
    assert [("lock", 10.0)] == scene.lost


@pytest.mark.parametrize("fault", [LeaseLost("taken over"), ReceiptHandleInvalid("gone")], ids=repr)
def test_a_lease_that_is_another_s_ends_at_once(scene: Scene, fault: Exception) -> None:
    """With no time left: another may have it already."""
    lease = scene.keep()
    scene.fault = fault
    scene.at(10.0)
    assert ([("lock", 0.0)], True) == (scene.lost, lease.is_over)
    scene.at(12.0)
    scene.at(21.0)
    assert ([10.0], [("lock", 0.0)]) == (scene.asked, scene.lost)


@pytest.mark.parametrize("seconds", [20.0, 29.0, 31.0, 3600.0])
def test_a_clock_that_jumps_loses_before_anything_is_renewed(scene: Scene, seconds: float) -> None:
    """A process that was stopped asks nobody for what others may have by now."""
    lease = scene.keep()
    scene.at(seconds)
    assert ([], [("lock", max(0.0, LEASE - seconds))]) == (scene.asked, scene.lost)
    assert (seconds >= LEASE) == lease.has_lapsed


def test_release_ends_the_care(scene: Scene) -> None:
    """No renewal and no loss afterwards."""
    scene.keep().release()
    scene.at(10.0)
    scene.at(25.0)
    assert ([], []) == (scene.asked, scene.lost)


def test_release_waits_for_a_renewal_under_way(scene: Scene) -> None:
    """So that no late renewal makes a message invisible again that was given back."""
    lease = scene.keep()
    scene.gate.clear()
    scene.at(10.0)
    releasing = gevent.spawn(lease.release)
    gevent.sleep(0)
    assert not releasing.ready()
    scene.gate.set()
    releasing.get()


@pytest.mark.parametrize("fault", [StoreError("down"), LeaseLost("gone")], ids=repr)
def test_a_renewal_that_fails_during_release_loses_nothing(scene: Scene, fault: Exception) -> None:
    """What is released cannot be lost."""
    lease = scene.keep()
    scene.gate.clear()
    scene.at(10.0)
    releasing = gevent.spawn(lease.release)
    gevent.sleep(0)
    scene.fault = fault
    scene.gate.set()
    releasing.get()
    scene.at(25.0)
    assert ([10.0], []) == (scene.asked, scene.lost)


def test_abandon_ends_the_care_without_a_wait(scene: Scene) -> None:
    """The renewal under way may end as it likes."""
    lease = scene.keep()
    scene.gate.clear()
    scene.at(10.0)
    lease.abandon()
    scene.fault = LeaseLost("gone")
    scene.gate.set()
    gevent.sleep(0)
    scene.at(25.0)
    assert ([10.0], []) == (scene.asked, scene.lost)


def test_a_renewal_may_release_its_own_lease(scene: Scene) -> None:
    """As at the end of SQS's 12 hours: a wait for itself would never end."""
    ended = []

    def renew() -> None:
        lease.release()
        ended.append(True)

    lease = scene.keeper.keep("visibility", LEASE, renew, lambda what, left: None)
    scene.at(10.0)
    assert [True] == ended


@pytest.mark.parametrize(("lease", "seconds"), [(5.0, 5 / 3), (30.0, 10.0), (600.0, 15.0)])
def test_margin_is_a_third_of_the_lease_and_at_most_fifteen_seconds(
    lease: float, seconds: float
) -> None:
    """A long lease need not be given up minutes before its end."""
    assert seconds == margin(lease)


def test_loop_turns_and_beats_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the one greenlet that health and the watcher hear of."""
    monkeypatch.setattr(Keeper, "TURN", 0.0)
    ticks = count(0.0, LEASE / 3)
    keeper = Keeper(lambda: next(ticks))
    renewed: list[bool] = []
    beats: list[bool] = []
    stop: Callable[[], None] = lambda: keeper.stop() if renewed else None  # noqa: E731

    keeper.keep("lock", LEASE, lambda: renewed.append(True), lambda what, left: None)
    keeper.loop(lambda: (beats.append(True), gevent.sleep(0), stop()))  # type: ignore[func-returns-value]
    assert [True] == renewed
    assert beats


def test_all_leases_are_renewed_at_once_when_the_walls_clock_jumps_ahead():
    """A virtual machine that was paused: its own clocks stood still, the others' went on."""
    wall = [5000.0]
    scene = Scene()
    scene.keeper = Keeper(lambda: scene.now, lambda: wall[0])
    scene.keep()
    wall[0] += 1
    scene.at(1)
    assert [] == scene.asked
    wall[0] += 301
    scene.at(2)
    assert [2.0] == scene.asked
    wall[0] += 1
    scene.at(3)
    assert [2.0] == scene.asked
    wall[0] -= 600  # Put back, it says nothing of a pause.
    scene.at(4)
    assert [2.0] == scene.asked


def test_a_renewal_that_raises_anything_at_all_is_tried_again(scene: Scene) -> None:
    """As one of a store of a user's own: the lease may be ours still."""
    scene.keep()
    scene.fault = ZeroDivisionError("theirs")
    scene.at(10.1)
    scene.fault = None
    scene.at(12)
    assert [10.1, 12.0] == scene.asked
    assert [] == scene.lost
