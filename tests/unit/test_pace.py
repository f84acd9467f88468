"""The gate in front of a service that fails, on a clock that stands still."""

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.aws.pace import Pace
from stores import Clock
from waiting import eventually

#: Seconds; short, for a caller looks at the clock again after that time.
SPACING = 0.01

#: Seconds within which greenlets that are free to go must be through.
DEADLINE = 10.0


class Gate:
    """A closed gate, and those that come to it. gone: the names of those that are through."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pace = Pace(SPACING, self.clock)
        self.gone: list[str] = []
        self.pace.failed()

    def comes(self, name: str, *, urgent: bool = False) -> "gevent.Greenlet[[], None]":
        """One more, which waits once this returns."""

        def pass_through() -> None:
            if urgent:
                with self.pace.hurried():
                    self.pace.before_send()
            else:
                self.pace.before_send()
            self.gone.append(name)

        waiting = gevent.spawn(pass_through)
        gevent.sleep(0)
        return waiting

    def goes_on(self, through: int) -> list[str]:
        """Let one spacing pass, and wait until so many are through; all that are."""
        self.clock.now += SPACING
        eventually(lambda: len(self.gone) >= through, deadline=DEADLINE)
        return self.gone


@pytest.fixture
def gate() -> Gate:
    """A gate that has just closed."""
    return Gate()


def test_nobody_waits_while_the_service_answers() -> None:
    """It is on the way of every call."""
    pace = Pace(3600.0, Clock())
    for _ in range(1000):
        pace.before_send()


def test_while_the_service_fails_one_goes_out_in_each_spacing(gate: Gate) -> None:
    """In the order of their arrival."""
    for name in "abc":
        gate.comes(name)
    assert [] == gate.gone
    assert ["a"] == gate.goes_on(1)
    assert ["a", "b"] == gate.goes_on(2)
    assert ["a", "b", "c"] == gate.goes_on(3)


def test_the_first_success_wakes_all_that_wait(gate: Gate) -> None:
    """A hundred leases wait: booked one after the other, most would lapse before their turn."""
    waiting = [gate.comes(str(number)) for number in range(100)]
    gate.pace.succeeded()
    gevent.joinall(waiting, timeout=DEADLINE)
    assert [str(number) for number in range(100)] == gate.gone


def test_a_long_stand_still_lets_no_crowd_out(gate: Gate) -> None:
    """A process that was paused has one try at once, not one for each spacing it missed."""
    for name in "abc":
        gate.comes(name)
    gate.clock.now += 1000 * SPACING
    eventually(lambda: gate.gone, deadline=DEADLINE)
    assert ["a"] == gate.gone
    assert ["a", "b"] == gate.goes_on(2)


def test_those_in_a_hurry_go_first(gate: Gate) -> None:
    """A renewal that comes late has less time than a delete that came early."""
    gate.comes("a")
    gate.comes("b")
    gate.comes("urgent", urgent=True)
    assert ["urgent"] == gate.goes_on(1)
    last = gate.comes("urgent too", urgent=True)
    gate.pace.succeeded()
    last.join(DEADLINE)
    eventually(lambda: len(gate.gone) == 4)
    assert ["urgent", "urgent too", "a", "b"] == gate.gone


@pytest.mark.parametrize("interruption", [gevent.GreenletExit, gevent.Timeout])
def test_one_that_is_killed_while_it_waits_stops_nobody(
    gate: Gate, interruption: type[BaseException]
) -> None:
    """Be it the first, to whom the clock matters, or one in the middle."""
    first, _, middle, _ = (gate.comes(name) for name in "abcd")
    first.kill(interruption)
    middle.kill(interruption)
    assert ["b"] == gate.goes_on(1)
    assert ["b", "d"] == gate.goes_on(2)


def test_a_failure_from_before_the_gate_was_opened_does_not_close_it(gate: Gate) -> None:
    """Calls that hung in the outage time out one by one, long after the service is back."""
    timed_out = Event()

    def hang() -> None:
        gate.pace.before_send()
        gate.gone.append("hung")
        timed_out.wait()
        gate.pace.failed()
        gate.pace.over()

    hanging = gevent.spawn(hang)
    gevent.sleep(0)
    assert ["hung"] == gate.goes_on(1)
    gate.pace.succeeded()
    timed_out.set()
    hanging.get(timeout=DEADLINE)
    gate.comes("a")
    assert ["hung", "a"] == gate.gone
    gate.pace.failed()
    gate.comes("b")
    assert ["hung", "a"] == gate.gone
