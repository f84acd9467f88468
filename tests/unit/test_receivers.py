"""Receivers: one when idle, more under load, and never none."""

import gevent
from gevent.event import Event

from sqsjkr_gevent.circuit import Circuit
from sqsjkr_gevent.health import Health
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.places import Places, WaitingRoom
from sqsjkr_gevent.receivers import Receivers
from waiting import eventually


class Queue:
    """Full answers first, then polls that all end empty at the same moment."""

    def __init__(self, full: int) -> None:
        self.full = full
        self.polling = 0
        self.polls = 0
        self.end = Event()

    def receive(self, most: int) -> list[Message]:
        """A full answer, or one that waits for the end."""
        self.polls += 1
        if self.full:
            self.full -= 1
            gevent.sleep(0)
            return [
                Message(id=str(n), body="", receipt_handle="", sent_at=0.0) for n in range(most)
            ]
        self.polling += 1
        self.end.wait()
        self.polling -= 1
        return []


def test_polls_that_end_empty_together_leave_one_receiver_and_not_none():
    """Each of them would otherwise take the other for the one that stays."""
    queue = Queue(full=3)
    places = Places(100, WaitingRoom(), waiting_most=100)
    admitted: list[Message] = []
    health = Health(receive_within=60)
    circuit = Circuit([], lambda: None, lambda error: None)
    receivers = Receivers(
        queue, places, health, admitted.extend, lambda failure: None, circuit, most=8
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
