"""Receives messages for free permits: one long poll when idle, more while full answers come."""

import time
from collections.abc import Callable, Sequence

from gevent.event import Event
from gevent.pool import Group

from ..aws.sqs import MAX_BATCH
from ..backoff import Backoff
from ..clock import Clock
from ..errors import AccessDenied, QueueError, StartError
from ..log import get_logger
from ..message import Message
from ..telemetry import Health
from .circuit import Circuit
from .message_queue import Queue
from .permits import Permits

log = get_logger(__name__)


class Receivers:
    """Up to `limit` greenlets, each with at most one ReceiveMessage under way.

    admit: called with what was received; each message has a permit taken for it.
    on_death: called with what ended a receiver, which must not end. circuit: while it is open,
    nothing is received.
    """

    #: Seconds after which a receiver checks for a free permit, should it miss a wake-up.
    _CHECK_EVERY = 1.0

    #: Seconds that a receive waits for more permits, so that it brings more messages.
    _LINGER = 0.02

    #: An empty answer within this many seconds is not the end of a long poll.
    _QUICK = 0.5

    #: Seconds: the first pause after a quick empty answer, and the longest one.
    _PAUSES = (0.1, 1.0)

    def __init__(
        self,
        queue: Queue,
        permits: Permits,
        health: Health,
        admit: Callable[[Sequence[Message]], None],
        on_death: Callable[[BaseException | None], None],
        circuit: Circuit,
        *,
        limit: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self._queue = queue
        self._permits = permits
        self._health = health
        self._admit = admit
        self._on_death = on_death
        self._circuit = circuit
        self._limit = limit
        self._clock = clock
        self._group = Group()
        self._alive = 0
        self._polls = 0
        self._backoff = Backoff(0.5, 30.0)
        self._idle = Backoff(*self._PAUSES)
        self._stopping = Event()

    def start(self) -> None:
        """Start one receiver; it starts others as they are needed."""
        self._alive += 1
        greenlet = self._group.spawn(self._loop)
        greenlet.link_exception(lambda dead: self._on_death(dead.exception))

    def stop(self) -> None:
        """Start no further receive. Those under way end by themselves, and what they bring is
        admitted.
        """
        self._stopping.set()
        self._permits.wake()

    def join(self, timeout: float | None = None) -> None:
        """Wait until every receive under way has ended, for at most `timeout` seconds."""
        self._group.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            if not self._circuit.closed.is_set():
                self._circuit.closed.wait(self._CHECK_EVERY)
                continue
            taken = self._permits.gather(MAX_BATCH, self._LINGER, self._CHECK_EVERY)
            if self._stopping.is_set() or not self._circuit.closed.is_set():
                self._permits.give(taken)
            elif taken and not self._receive(taken) and self._alive > 1:
                # Count it at once: a Group forgets a dead greenlet later, and two that end in one
                # turn of the hub would each take the other for alive.
                self._alive -= 1
                return

    def _receive(self, taken: int) -> bool:
        """One receive; returns whether there is work for this receiver."""
        asked_at = self._clock()
        try:
            messages = self._poll(taken)
        except QueueError as error:
            self._permits.give(taken)
            self._on_error(error)
            return False
        self._backoff.succeeded()
        took = self._clock() - asked_at
        if len(messages) < taken:
            self._permits.give(taken - len(messages))
        else:
            self._permits.received_in(took)
        self._admit(messages)
        if len(messages) == taken and self._alive < self._limit:
            self.start()
        self._rest(len(messages), took)
        return bool(messages)

    def _rest(self, received: int, took: float) -> None:
        """Pause if nothing was received and the server did not wait either.

        That happens with short polls, with a server without long polls, with an answer that was
        cut short, and with a FIFO queue at its limit of messages in flight.
        """
        if received:
            self._idle.succeeded()
        elif took < self._QUICK and self._alive == 1:  # One of several ends instead.
            self._stopping.wait(self._idle.failed())

    def _poll(self, taken: int) -> list[Message]:
        self._polls += 1
        self._health.set_receiving(wanted=True)
        try:
            return self._queue.receive(taken)
        finally:
            self._polls -= 1
            if not self._polls:
                self._health.set_receiving(wanted=False)

    def _on_error(self, error: QueueError) -> None:
        if isinstance(error, AccessDenied) and self._health.received_at is None:
            raise StartError(f"receiving is denied; allow sqs:ReceiveMessage ({error})") from error
        wait = self._backoff.failed()
        log.error("receive failed, retrying", reason=str(error), wait=round(wait, 2))
        self._stopping.wait(wait)
