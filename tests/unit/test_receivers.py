"""Receivers: one when idle, more under load, and never none."""

from collections import deque
from collections.abc import Sequence

import gevent
from gevent.event import Event

from sqsjkr_gevent.intake import Circuit, Permits, Receivers, WaitingRoom
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.telemetry import Health
from stores import Clock
from waiting import eventually


class Queue:
    """Full answers first, then polls that all end empty at the same moment."""

    def __init__(self, full: int) -> None:
        self.full = full
        self.polling = 0
        self.polls = 0
        self.end = Event()

    def receive(self, limit: int) -> list[Message]:
        """A full answer, or one that waits for the end."""
        self.polls += 1
        if self.full:
            self.full -= 1
            gevent.sleep(0)
            return [
                Message(id=str(n), body="", receipt_handle="", sent_at=0.0) for n in range(limit)
            ]
        self.polling += 1
        self.end.wait()
        self.polling -= 1
        return []


class Rests(Event):
    """Nobody stops; it notes each wait and its seconds instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float) -> bool:
        """Note it."""
        self.waited.append(timeout)
        gevent.sleep(0)
        return False


class Script:
    """Answers after so many seconds by the clock, with so many messages; then it waits."""

    def __init__(self, clock: Clock, answers: list[tuple[float, int]]) -> None:
        self.clock = clock
        self.answers = deque(answers)
        self.end = Event()

    def receive(self, limit: int) -> list[Message]:
        """The next answer."""
        if not self.answers:
            self.end.wait()
            return []
        seconds, number = self.answers.popleft()
        self.clock.now += seconds
        return [Message(id=str(n), body="", receipt_handle="", sent_at=0.0) for n in range(number)]


def test_quick_empty_answers_are_followed_by_pauses_that_grow_until_a_message_comes():
    """A server that does not wait would be asked 150 times a second; long polls need no pause."""
    clock = Clock()
    quick, full, long = (0.01, 0), (0.01, 1), (20.0, 0)
    queue = Script(clock, [long, *[quick] * 6, long, quick, full, quick, quick, long, full, quick])
    permits = Permits(1, WaitingRoom(), max_waiting=1)

    def admit(messages: Sequence[Message]) -> None:
        permits.give(len(messages))

    receivers = Receivers(
        queue, permits, Health(receive_within=60), admit, lambda failure: None,
        Circuit([], lambda: None, lambda error: None), most=1, clock=clock,
    )  # fmt: skip
    rests = receivers._stopping = Rests()
    receivers.start()
    eventually(lambda: not queue.answers and len(rests.waited) >= 10)
    most = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 0.1, 0.2, 0.1]
    assert most == [
        expected if expected / 2 <= waited <= expected else waited
        for waited, expected in zip(rests.waited, most, strict=True)
    ]
    receivers.stop()
    queue.end.set()
    receivers.join(10)


def test_polls_that_end_empty_together_leave_one_receiver_and_not_none():
    """Each of them would otherwise take the other for the one that stays."""
    queue = Queue(full=3)
    permits = Permits(100, WaitingRoom(), max_waiting=100)
    admitted: list[Message] = []
    health = Health(receive_within=60)
    circuit = Circuit([], lambda: None, lambda error: None)
    receivers = Receivers(
        queue, permits, health, admitted.extend, lambda failure: None, circuit, most=8
    )
    receivers.start()
    eventually(lambda: queue.polling > 1)
    together = queue.polling
    queue.end.set()
    queue.end = Event()
    eventually(lambda: queue.polling == 1)
    for _ in range(50):
        gevent.sleep(0)
    assert (30, 1, True) == (len(admitted), queue.polling, together > 1)
    receivers.stop()
    queue.end.set()
    receivers.join(10)
