"""Permits for messages, and the room where jobs wait."""

from contextlib import nullcontext

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import OverLifeTime, Stopping
from sqsjkr_gevent.intake import Permit, Permits, WaitingRoom
from sqsjkr_gevent.intake.permits import MAX_UNSETTLED
from sqsjkr_gevent.job import Job
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.worker import Run
from sqsjkr_gevent.worker.slots import Slots
from stores import Clock
from waiting import eventually


@pytest.fixture
def room() -> WaitingRoom:
    """An empty room."""
    return WaitingRoom()


@pytest.fixture
def permits(room: WaitingRoom) -> Permits:
    """Five permits, and more in the room than any test has."""
    return Permits(5, room, max_waiting=100)


def waits(room: WaitingRoom, seconds: float | None = None) -> "gevent.Greenlet[[], None]":
    """A greenlet that waits in the room, for ever if it is let."""

    def wait() -> None:
        with room.waiting(seconds):
            Event().wait()

    inside = len(room)
    greenlet = gevent.spawn(wait)
    eventually(lambda: len(room) == inside + 1)
    return greenlet


def test_places_are_taken_up_to_their_number(permits: Permits) -> None:
    """A receiver takes what there is, and 0 where there is nothing."""
    assert (3, 2, 0) == (permits.take(3), permits.take(10), permits.take(1))
    assert 0 == permits.free


def test_a_place_that_was_given_back_is_free(permits: Permits) -> None:
    """One, or several at once."""
    permits.take(5)
    permits.give()
    assert 1 == permits.free
    permits.give(4)
    assert 5 == permits.free


def test_giving_a_place_back_counts_once(permits: Permits) -> None:
    """However often it is said: a job gives it back early, its run at its end again."""
    permits.take(2)
    permit = Permit(permits)
    for _ in range(3):
        permit.give()
    assert 4 == permits.free


def test_a_lent_place_is_free_for_the_block(permits: Permits) -> None:
    """A job that waits lets others have it, and has it again afterwards."""
    permits.take(5)
    with Permit(permits).lent():
        assert 1 == permits.free
    assert 0 == permits.free


def test_a_lent_place_is_taken_back_after_an_error_too(permits: Permits) -> None:
    """A wait that ended by Stopping leaves the count right."""
    permits.take(5)
    permit = Permit(permits)
    with pytest.raises(Stopping), permit.lent():
        raise Stopping
    assert 0 == permits.free
    permit.give()
    assert 1 == permits.free


def test_free_is_never_below_zero(permits: Permits) -> None:
    """Jobs that come back for what they lent may be too many; nothing is received meanwhile."""
    permits.take(5)
    with Permit(permits).lent():
        assert 1 == permits.take(10)
    assert (0, 0) == (permits.free, permits.take(1))
    permits.give()
    assert (0, 0) == (permits.free, permits.take(1))
    permits.give()
    assert 1 == permits.take(10)


def test_a_full_room_stops_the_receiving(room: WaitingRoom) -> None:
    """Each message in it costs memory and renewals, so there is a most."""
    permits = Permits(5, room, max_waiting=3)
    waiting = [waits(room) for _ in range(2)]
    assert 1 == permits.free
    waiting.append(waits(room))
    assert (0, 0) == (permits.free, permits.take(10))
    waiting.append(waits(room))
    assert (0, 0) == (permits.free, permits.take(10))
    gevent.killall(waiting)
    assert (0, 3) == (len(room), permits.free)


def test_wait_ends_when_a_place_is_given_back(permits: Permits) -> None:
    """And not before."""
    permits.take(5)
    waiting = gevent.spawn(permits.wait, 3600)
    gevent.sleep(0)
    assert not waiting.ready()
    permits.give()
    waiting.get(timeout=30)


def test_wait_does_not_end_while_jobs_come_back_for_theirs(permits: Permits) -> None:
    """A permit given back that is owed to a waiting job is not free."""
    permits.take(5)
    permits.retake()
    waiting = gevent.spawn(permits.wait, 3600)
    gevent.sleep(0)
    permits.give()
    gevent.sleep(0)
    assert not waiting.ready()
    permits.give()
    waiting.get(timeout=30)


def test_wait_ends_by_wake_and_by_its_timeout_and_at_once_where_one_is_free(
    permits: Permits,
) -> None:
    """A stop wakes; the timeout is the net under a wake-up that was missed."""
    permits.wait(3600)
    permits.take(5)
    waiting = gevent.spawn(permits.wait, 3600)
    gevent.sleep(0)
    permits.wake()
    waiting.get(timeout=30)
    permits.wait(0.001)
    assert 0 == permits.free


def test_the_room_counts_who_is_inside(room: WaitingRoom) -> None:
    """From the entry to the end of the block, however that ends."""
    with room.waiting():
        assert 1 == len(room)
    assert 0 == len(room)
    with pytest.raises(ZeroDivisionError), room.waiting():
        raise ZeroDivisionError
    assert 0 == len(room)


def test_a_wait_ends_by_over_life_time_at_its_bound(room: WaitingRoom) -> None:
    """Which is the job's own end, not a fault."""
    with pytest.raises(OverLifeTime), room.waiting(0.001):
        Event().wait()
    assert 0 == len(room)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_life_time_that_is_over_does_not_enter(room: WaitingRoom, seconds: float) -> None:
    """Raises OverLifeTime before the block."""
    entered = []
    with pytest.raises(OverLifeTime), room.waiting(seconds):
        entered.append(True)
    assert [] == entered


def test_close_ends_every_wait_by_stopping(room: WaitingRoom) -> None:
    """Bounded ones and others."""
    waiting = [waits(room), waits(room, 3600.0), waits(room)]
    room.close()
    for one in waiting:
        with pytest.raises(Stopping):
            one.get(timeout=30)
    assert 0 == len(room)


def test_a_closed_room_lets_nobody_in(room: WaitingRoom) -> None:
    """Stopping, also where the life time is over at the same moment."""
    room.close()
    for seconds in (None, 5.0, 0.0):
        with pytest.raises(Stopping), room.waiting(seconds):
            Event().wait()


def test_who_was_let_out_of_a_wait_as_the_room_closed_is_not_hit_later(room: WaitingRoom) -> None:
    """Stopping is thrown into a wait in the room, and never into what comes after it."""
    let_out, after = Event(), Event()
    reached = []

    def wait() -> None:
        with room.waiting():
            let_out.wait()
        reached.append("after")
        after.wait()
        reached.append("end")

    greenlet = gevent.spawn(wait)
    eventually(lambda: len(room) == 1)
    let_out.set()
    room.close()
    eventually(lambda: ["after"] == reached)
    after.set()
    greenlet.get(timeout=30)
    assert ["after", "end"] == reached


def test_the_bound_of_a_wait_ends_with_its_block(room: WaitingRoom) -> None:
    """No timeout is left that would hit the run of the job."""
    with room.waiting(0.02):
        gevent.sleep(0)
    later = gevent.spawn(gevent.sleep, 0.05)
    later.get(timeout=30)  # In this greenlet, past the time of the bound.
    assert 0 == len(room)


def test_close_may_come_from_one_who_is_inside(room: WaitingRoom) -> None:
    """It goes on until its next wait."""
    reached = []

    def close_and_wait() -> None:
        with room.waiting():
            room.close()
            reached.append("closed")
            Event().wait()

    with pytest.raises(Stopping):
        close_and_wait()
    assert ["closed"] == reached


class Measured:
    """Notes what permits tell about the time that jobs take."""

    def __init__(self, permits: Permits) -> None:
        self.told: list[tuple[str, float]] = []
        permits._ahead = self  # type: ignore[assignment]

    def at_slot_in(self, seconds: float) -> None:
        """Note it."""
        self.told.append(("to slot", seconds))

    def ended(self, ran: float) -> None:
        """Note it."""
        self.told.append(("ran", ran))

    def number(self, batch: int) -> int:
        """None ahead."""
        return 0


def test_a_permit_measures_the_way_to_the_slot_without_the_waits_and_the_time_in_it(room):
    """A job that waited for a lock or a slot says nothing about how long calls take."""
    clock = Clock()
    permits = Permits(5, room, max_waiting=100, clock=clock)
    measured = Measured(permits)
    permits.take(5)
    permit = Permit(permits)
    clock.now += 1
    with permit.lent():
        clock.now += 60
    clock.now += 2
    permit.at_slot()
    clock.now += 30
    permit.in_slot()
    clock.now += 4
    permit.give()
    clock.now += 500
    permit.close()
    assert [("to slot", 3.0), ("ran", 4.0)] == measured.told


def test_a_job_without_a_slot_has_run_for_no_time(room):
    """As a duplicate: its permit is given back all the same, and it counts as a short job."""
    clock = Clock()
    permits = Permits(5, room, max_waiting=100, clock=clock)
    measured = Measured(permits)
    permits.take(1)
    permit = Permit(permits)
    clock.now += 3
    permit.close()
    assert ([("ran", 0.0)], 5) == (measured.told, permits.free)


def test_places_ahead_of_the_slots_are_free(room):
    """They may be taken, and given back, as any other."""
    clock = Clock()
    permits = Permits(16, room, max_waiting=1000, clock=clock)
    permits.give(permits.gather(10, 0, 0))
    for _ in range(1000):
        clock.now += 0.001
        permits.received_in(0.02)
        permits.take(1)
        Permit(permits).close()
    assert 10 < permits.ahead
    assert 16 + permits.ahead == permits.free == permits.take(1000)
    assert 0 == permits.free


def test_places_ahead_keep_to_the_limit_of_the_room(room):
    """Jobs that wait for a slot wait in it too."""
    clock = Clock()
    permits = Permits(16, room, max_waiting=20, clock=clock)
    permits.give(permits.gather(10, 0, 0))
    permits.received_in(0.02)
    for _ in range(1000):
        clock.now += 0.001
        permits.take(1)
        Permit(permits).close()
    assert 10 < permits.ahead
    waiting = [waits(room) for _ in range(18)]
    assert 2 == permits.free
    gevent.killall(waiting)


@pytest.mark.parametrize("fault", [None, Stopping, ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["before", "waiting", "in the slot"])
def test_the_slot_and_its_permit_are_free_at_once_whatever_raises(room, permits, where, fault):
    """Before what follows, such as the call that releases a lock; and no permit is lost."""
    slots = Slots(1, room)
    permits.take(1)
    run = Run(
        Message("1", '{"command": "true"}', "", sent_at=0.0), Permit(permits), "", lambda: 0.0
    )
    run.job = Job.from_message(run.message, kill_over_life_time=False, timeout=0.0)

    def pass_through() -> None:
        with run.permit.lent():
            raise_if("before")
        with slots.occupied(run):
            assert (1, 4) == (slots.busy, permits.free)
            raise_if("in the slot")

    def raise_if(here: str) -> None:
        if here == where and fault is not None:
            raise fault

    if where == "waiting":
        room.close()
    raises = Stopping if where == "waiting" else fault
    with pytest.raises(raises) if raises else nullcontext():
        pass_through()
    expected = 5 if raises is None or where == "in the slot" else 4
    assert (0, expected) == (slots.busy, permits.free)
    run.let_go()
    assert 5 == permits.free


def test_gather_waits_for_a_full_batch(permits):
    """Up to its linger: a receive that brings one message costs as much as one that brings ten."""
    permits.take(5)
    gathering = gevent.spawn(permits.gather, 3, 3600, 3600)
    for _ in range(2):
        permits.give()
        gevent.sleep(0)
    assert not gathering.ready()
    permits.give()
    assert 3 == gathering.get(timeout=10)


def test_gather_takes_what_there_is_after_its_linger(permits):
    """And nothing where nothing is free, or once woken."""
    permits.take(4)
    assert 1 == permits.gather(3, 0.01, 3600)
    assert 0 == permits.gather(3, 3600, 0.01)
    gathering = gevent.spawn(permits.gather, 3, 3600, 3600)
    gevent.sleep(0)
    permits.wake()
    assert 0 == gathering.get(timeout=10)


def test_gather_of_all_slots_is_a_full_batch(permits):
    """More than there are is not waited for."""
    assert 5 == permits.gather(10, 3600, 3600)


def test_no_more_is_received_while_a_thousand_messages_cannot_be_settled(room):
    """As where deletes are denied for hours: each of them is held, renewed, and takes memory."""
    permits = Permits(10, room, max_waiting=1000)
    ended = []
    for _ in range(MAX_UNSETTLED):
        assert 1 == permits.take(1)
        ended.append(Permit(permits))
        ended[-1].give()
    assert 0 == permits.free
    ended.pop().close()
    assert 1 == permits.free
    for permit in ended:
        permit.close()
        permit.close()
    assert 10 == permits.free
