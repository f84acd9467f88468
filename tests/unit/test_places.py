"""Places for messages, and the room where jobs wait."""

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import OverLifeTime, Stopping
from sqsjkr_gevent.places import MAX_UNSETTLED, Place, Places, WaitingRoom
from waiting import eventually


@pytest.fixture
def room() -> WaitingRoom:
    """An empty room."""
    return WaitingRoom()


@pytest.fixture
def places(room: WaitingRoom) -> Places:
    """Five places, and more in the room than any test has."""
    return Places(5, room, waiting_most=100)


def waits(room: WaitingRoom, seconds: float | None = None) -> "gevent.Greenlet[[], None]":
    """A greenlet that waits in the room, for ever if it is let."""

    def wait() -> None:
        with room.waiting(seconds):
            Event().wait()

    inside = len(room)
    greenlet = gevent.spawn(wait)
    eventually(lambda: len(room) == inside + 1)
    return greenlet


def test_places_are_taken_up_to_their_number(places: Places) -> None:
    """A receiver takes what there is, and 0 where there is nothing."""
    assert (3, 2, 0) == (places.take(3), places.take(10), places.take(1))
    assert 0 == places.free


def test_a_place_that_was_given_back_is_free(places: Places) -> None:
    """One, or several at once."""
    places.take(5)
    places.give()
    assert 1 == places.free
    places.give(4)
    assert 5 == places.free


def test_giving_a_place_back_counts_once(places: Places) -> None:
    """However often it is said: a job gives it back early, its run at its end again."""
    places.take(2)
    place = Place(places)
    for _ in range(3):
        place.give()
    assert 4 == places.free


def test_a_lent_place_is_free_for_the_block(places: Places) -> None:
    """A job that waits lets others have it, and has it again afterwards."""
    places.take(5)
    with Place(places).lent():
        assert 1 == places.free
    assert 0 == places.free


def test_a_lent_place_is_taken_back_after_an_error_too(places: Places) -> None:
    """A wait that ended by Stopping leaves the count right."""
    places.take(5)
    place = Place(places)
    with pytest.raises(Stopping), place.lent():
        raise Stopping
    assert 0 == places.free
    place.give()
    assert 1 == places.free


def test_free_is_never_below_zero(places: Places) -> None:
    """Jobs that come back for what they lent may be too many; nothing is received meanwhile."""
    places.take(5)
    with Place(places).lent():
        assert 1 == places.take(10)
    assert (0, 0) == (places.free, places.take(1))
    places.give()
    assert (0, 0) == (places.free, places.take(1))
    places.give()
    assert 1 == places.take(10)


def test_a_full_room_stops_the_receiving(room: WaitingRoom) -> None:
    """Each message in it costs memory and renewals, so there is a most."""
    places = Places(5, room, waiting_most=3)
    waiting = [waits(room) for _ in range(2)]
    assert 1 == places.free
    waiting.append(waits(room))
    assert (0, 0) == (places.free, places.take(10))
    waiting.append(waits(room))
    assert (0, 0) == (places.free, places.take(10))
    gevent.killall(waiting)
    assert (0, 3) == (len(room), places.free)


def test_wait_ends_when_a_place_is_given_back(places: Places) -> None:
    """And not before."""
    places.take(5)
    waiting = gevent.spawn(places.wait, 3600)
    gevent.sleep(0)
    assert not waiting.ready()
    places.give()
    waiting.get(timeout=30)


def test_wait_does_not_end_while_jobs_come_back_for_theirs(places: Places) -> None:
    """A place given back that is owed to a waiting job is not free."""
    places.take(5)
    places.retake()
    waiting = gevent.spawn(places.wait, 3600)
    gevent.sleep(0)
    places.give()
    gevent.sleep(0)
    assert not waiting.ready()
    places.give()
    waiting.get(timeout=30)


def test_wait_ends_by_wake_and_by_its_timeout_and_at_once_where_one_is_free(places: Places) -> None:
    """A stop wakes; the timeout is the net under a wake-up that was missed."""
    places.wait(3600)
    places.take(5)
    waiting = gevent.spawn(places.wait, 3600)
    gevent.sleep(0)
    places.wake()
    waiting.get(timeout=30)
    places.wait(0.001)
    assert 0 == places.free


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


def works(places: Places, clock: Clock, *, every: float, receive_takes: float) -> None:
    """A minute in which a job ends every so many seconds, and a receive is for ten messages."""
    places.give(places.gather(10, 0, 0))
    for _ in range(round(60 / every)):
        clock.now += every
        places.received_in(receive_takes)
        places.take(1)
        Place(places).close()


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
    places = Places(slots, room, waiting_most=1000, clock=clock)
    works(places, clock, every=every, receive_takes=receive_takes)
    assert expected == pytest.approx(places.ahead, abs=1)
    assert slots + places.ahead == places.free


def test_places_ahead_vanish_when_jobs_become_long(room, clock):
    """What was measured is forgotten in seconds."""
    places = Places(64, room, waiting_most=1000, clock=clock)
    works(places, clock, every=0.001, receive_takes=0.02)
    assert places.ahead > 0
    clock.now += 30
    assert 0 == places.ahead


def test_one_receive_that_waited_long_changes_little(room, clock):
    """The quickest count: they say what the way to SQS and back takes."""
    places = Places(64, room, waiting_most=1000, clock=clock)
    works(places, clock, every=0.001, receive_takes=0.02)
    before = places.ahead
    places.received_in(20)
    assert before + 1 >= places.ahead >= before


def test_gather_waits_for_a_full_batch(places):
    """Up to its linger: a receive that brings one message costs as much as one that brings ten."""
    places.take(5)
    gathering = gevent.spawn(places.gather, 3, 3600, 3600)
    for _ in range(2):
        places.give()
        gevent.sleep(0)
    assert not gathering.ready()
    places.give()
    assert 3 == gathering.get(timeout=10)


def test_gather_takes_what_there_is_after_its_linger(places):
    """And nothing where nothing is free, or once woken."""
    places.take(4)
    assert 1 == places.gather(3, 0.01, 3600)
    assert 0 == places.gather(3, 3600, 0.01)
    gathering = gevent.spawn(places.gather, 3, 3600, 3600)
    gevent.sleep(0)
    places.wake()
    assert 0 == gathering.get(timeout=10)


def test_gather_of_all_slots_is_a_full_batch(places):
    """More than there are is not waited for."""
    assert 5 == places.gather(10, 3600, 3600)


def test_no_more_is_received_while_a_thousand_messages_cannot_be_settled(room):
    """As where deletes are denied for hours: each of them is held, renewed, and takes memory."""
    places = Places(10, room, waiting_most=1000)
    ended = []
    for _ in range(MAX_UNSETTLED):
        assert 1 == places.take(1)
        ended.append(Place(places))
        ended[-1].give()
    assert 0 == places.free
    ended.pop().close()
    assert 1 == places.free
    for place in ended:
        place.close()
        place.close()
    assert 10 == places.free
