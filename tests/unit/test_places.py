"""Places for messages, and the room where jobs wait."""

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import OverLifeTime, Stopping
from sqsjkr_gevent.places import Place, Places, WaitingRoom
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
