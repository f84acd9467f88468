"""The depth of the queues is looked at once a minute, and only for somebody."""

import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import QueueError
from sqsjkr_gevent.telemetry import Depth, Numbers, QueueDepth
from sqsjkr_gevent.telemetry.depth import QUERY_EVERY
from waiting import eventually


class Sqs:
    """Counts looks. numbers: the answer, or an error."""

    def __init__(self) -> None:
        self.looks = 0
        self.now = 1000.0
        self.numbers: Numbers | QueueError | None = Numbers(1, 2, 3, 4)
        self.go = Event()
        self.go.set()

    def look(self) -> Numbers | None:
        """One look."""
        self.looks += 1
        self.go.wait()
        if isinstance(self.numbers, QueueError):
            raise self.numbers
        return self.numbers


@pytest.fixture
def sqs() -> Sqs:
    """An SQS."""
    return Sqs()


@pytest.fixture
def depth(sqs: Sqs) -> QueueDepth:
    """Its depth."""
    return QueueDepth(sqs.look, lambda: sqs.now)


def test_nobody_asks_and_nothing_is_looked_at(sqs, depth):
    """An idle kicker that nobody watches costs nothing."""
    assert (None, 0) == (depth.known(), sqs.looks)


def test_one_look_a_minute_whoever_asks(sqs, depth):
    """The next one is made behind the answer, which is the old one."""
    assert Depth(1000.0, Numbers(1, 2, 3, 4)) == depth.ask()
    sqs.numbers = Numbers(9, 9, 9, None)
    sqs.now += QUERY_EVERY - 0.1
    assert [1, 1] == [(depth.ask() or Depth(0, None)).numbers.visible, sqs.looks]
    sqs.now += 0.1
    assert 1 == depth.ask().numbers.visible
    eventually(lambda: Depth(1060.0, Numbers(9, 9, 9, None)) == depth.known())
    assert 2 == sqs.looks


def test_a_look_that_fails_is_told_and_not_repeated_at_once(sqs, depth):
    """A permission that is missing must not become a call for each scrape."""
    sqs.numbers = QueueError("denied")
    for _ in range(5):
        assert Depth(1000.0, None, "denied") == depth.ask()
    assert 1 == sqs.looks


def test_who_asks_while_sqs_does_not_answer_is_not_held_up(sqs, depth, monkeypatch):
    """A scrape at night, when the network is down."""
    monkeypatch.setattr("sqsjkr_gevent.telemetry.depth.FIRST_WITHIN", 0.01)
    sqs.go.clear()
    assert [None, None] == [depth.ask(), depth.ask()]
    sqs.go.set()
    eventually(lambda: Depth(1000.0, Numbers(1, 2, 3, 4)) == depth.known())
    assert 1 == sqs.looks


def test_what_another_process_saw_counts_as_a_look(sqs, depth):
    """So that a fleet looks once a minute as a whole; the way through JSON and back included."""
    seen = Depth(990.0, Numbers(5, 0, 0, None))
    depth.learn(Depth.of_json(seen.as_json()))
    assert (seen, 0) == (depth.ask(), sqs.looks)
    depth.learn(Depth(980.0, Numbers(0, 0, 0, None)))
    assert seen == depth.ask()
    failed = Depth(995.0, None, "denied")
    assert failed == Depth.of_json(failed.as_json())


def test_before_the_queue_is_found_nothing_is_known_and_every_question_looks(sqs, depth):
    """A page that was open while the kicker started must not wait a minute."""
    sqs.numbers = None
    assert None is depth.ask()
    sqs.numbers = Numbers(1, 2, 3, 4)
    assert Depth(1000.0, Numbers(1, 2, 3, 4)) in (depth.ask(), depth.ask())
