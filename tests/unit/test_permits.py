"""Permits for messages, and the room where jobs wait."""

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import OverLifeTime, Stopping
from sqsjkr_gevent.intake import Permit, Permits, WaitingRoom
from sqsjkr_gevent.intake.permits import MAX_UNSETTLED
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


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """One."""
    return Clock()


def works(permits: Permits, clock: Clock, *, every: float, receive_takes: float) -> None:
    """A minute in which a job ends every so many seconds, and a receive is for ten messages."""
    permits.give(permits.gather(10, 0, 0))
    for _ in range(round(60 / every)):
        clock.now += every
        permits.received_in(receive_takes)
        permits.take(1)
        Permit(permits).close()


@pytest.mark.parametrize(
    ("slots", "every", "receive_takes", "expected"),
    [
        (64, 0.001, 0.02, 30),  # 20 end during a receive, which asks for 10.
        (64, 0.001, 0.0, 0),
        (16, 0.001, 0.02, 16),  # Never more than slots.
        (1, 0.01, 0.02, 1),
        (64, 4 / 64, 0.02, 0),  # 64 jobs of 4 seconds.
        (1, 4, 0.02, 0),
        (1, 4, 3, 0),  # A receive that waited for its message.
    ],
)
def test_places_ahead_follow_completions_and_the_time_of_a_receive(
    room, clock, slots, every, receive_takes, expected
):
    """So that short jobs never wait for a receive, and a long one is left to whoever is free."""
    permits = Permits(slots, room, max_waiting=1000, clock=clock)
    works(permits, clock, every=every, receive_takes=receive_takes)
    assert expected == pytest.approx(permits.ahead, abs=1)
    assert slots + permits.ahead == permits.free


def test_places_ahead_vanish_when_jobs_become_long(room, clock):
    """What was measured is forgotten in seconds."""
    permits = Permits(64, room, max_waiting=1000, clock=clock)
    works(permits, clock, every=0.001, receive_takes=0.02)
    assert permits.ahead > 0
    clock.now += 30
    assert 0 == permits.ahead


def test_one_receive_that_waited_long_changes_little(room, clock):
    """The quickest count: they say what the way to SQS and back takes."""
    permits = Permits(64, room, max_waiting=1000, clock=clock)
    works(permits, clock, every=0.001, receive_takes=0.02)
    before = permits.ahead
    permits.received_in(20)
    assert before + 1 >= permits.ahead >= before


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
