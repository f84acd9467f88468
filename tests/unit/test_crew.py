"""Greenlets that are used again."""

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.kicker.crew import Crew
from waiting import eventually


@pytest.fixture
def crew():
    """Keeps two greenlets."""
    one = Crew(2)
    yield one
    one.close()


def test_calls_are_made_side_by_side(crew):
    """However many."""
    go, seen = Event(), []
    for number in range(5):
        crew.spawn(lambda number: (go.wait(), seen.append(number)), number)
    assert 5 == len(crew)
    crew.join(timeout=0.01)
    assert [] == seen
    go.set()
    crew.join(timeout=10)
    assert ([0, 1, 2, 3, 4], 0) == (seen, len(crew))


def test_a_greenlet_is_used_again_and_no_more_are_kept_than_asked_for(crew):
    """Two of five, for the next five calls."""
    go, seen = Event(), []
    for _ in range(2):
        for _ in range(5):
            crew.spawn(lambda _: (go.wait(), seen.append(gevent.getcurrent())), None)
        go.set()
        crew.join(timeout=10)
        go.clear()
    assert 8 == len(set(seen))
    eventually(lambda: 6 == sum(greenlet.dead for greenlet in set(seen)))


def test_a_call_that_raises_takes_only_its_greenlet_along(crew, capsys):
    """It is printed, and the next call is made."""
    crew.spawn(lambda number: 1 / number, 0)
    crew.join(timeout=10)
    assert 0 == len(crew)
    seen = []
    crew.spawn(seen.append, 1)
    crew.join(timeout=10)
    assert [1] == seen
    eventually(lambda: "ZeroDivisionError" in capsys.readouterr().err)


def test_nothing_is_left_of_a_closed_crew(crew):
    """Neither the idle nor those that are busy yet."""
    go, seen = Event(), []
    crew.spawn(lambda _: (go.wait(), seen.append(gevent.getcurrent())), None)
    crew.spawn(lambda _: seen.append(gevent.getcurrent()), None)
    eventually(lambda: seen)
    crew.close()
    go.set()
    eventually(lambda: [True, True] == [greenlet.dead for greenlet in seen])
