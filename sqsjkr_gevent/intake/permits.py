"""Permits: a message is received only for a slot that is free, or will be when it is here."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event
from gevent.lock import BoundedSemaphore

from ..clock import Clock
from .ahead import Ahead
from .rate import Rate
from .waiting_room import WaitingRoom

#: Seconds over which the completions that people see are measured.
_RATE_OVER = 5.0

#: Messages that may wait to be settled after their jobs have ended. Beyond that, none is received.
MAX_UNSETTLED = 1000


class Permits:
    """Permits to receive messages, one for each message.

    There are as many as slots. While jobs are short there are more: see Ahead.
    size: the number of slots. max_waiting: with this many jobs in the room nothing is received.
    """

    def __init__(
        self,
        size: int,
        room: WaitingRoom,
        *,
        max_waiting: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self._size = size
        self._room = room
        self._max_waiting = max_waiting
        self._batch = 0
        self.clock = clock
        self._taken = 0
        self._unsettled = 0
        self._turn = BoundedSemaphore()
        self._enough = 1
        self._freed = Event()
        self._completions = Rate(over=_RATE_OVER, clock=clock)
        self._ahead = Ahead(size, clock)

    @property
    def completions_per_second(self) -> float:
        """How many jobs end each second, now."""
        return self._completions.per_second()

    @property
    def ahead(self) -> int:
        """How many permits there are beyond the slots."""
        return self._ahead.number(self._batch)

    @property
    def free(self) -> int:
        """How many permits can be taken; none while jobs that waited have taken theirs back."""
        left = self._size + self.ahead - self._taken
        may_wait = self._max_waiting - len(self._room)
        return max(0, min(left, may_wait, MAX_UNSETTLED - self._unsettled))

    def take(self, limit: int) -> int:
        """Take up to `limit` permits; returns how many, 0 if none is free."""
        taken = min(limit, self.free)
        self._taken += taken
        return taken

    def gather(self, limit: int, linger: float, timeout: float) -> int:
        """Take up to `limit` permits: as many as are free `linger` seconds after the first one.

        limit: of one receive. Returns 0 if none is free within `timeout` seconds, or once woken.
        """
        self._batch = min(limit, self._size)
        with self._turn:
            self.wait(timeout)
            if self.free:
                self._wait_for(self._batch, linger)
            return self.take(limit)

    def retake(self) -> None:
        """Take back the permit that a waiting job lent out, whether or not one is free."""
        self._taken += 1

    def give(self, number: int = 1) -> None:
        """Give permits back."""
        self._taken -= number
        if self.free >= self._enough:
            self._freed.set()

    def at_slot_in(self, seconds: float) -> None:
        """A job took this long from its receive to its slot, the waits for others left out."""
        self._ahead.at_slot_in(seconds)

    def completed(self, ran: float = 0.0) -> None:
        """A job has ended: give its permit back. Its message is not settled yet.

        ran: the seconds that it had a slot.
        """
        self._completions.count()
        self._ahead.ended(ran)
        self._unsettled += 1
        self.give()

    def settled(self) -> None:
        """The message of a job that has ended is settled, or is left to come back by itself."""
        self._unsettled -= 1
        self.give(0)

    def received_in(self, seconds: float) -> None:
        """A receive that found messages waiting took this long."""
        self._ahead.received_in(seconds)

    def wait(self, timeout: float) -> None:
        """Wait until a permit is given back, or wake(), for at most `timeout` seconds."""
        self._wait_for(1, timeout)

    def wake(self) -> None:
        """End every wait()."""
        self._freed.set()

    def _wait_for(self, enough: int, timeout: float) -> None:
        self._enough = enough
        self._freed.clear()
        if self.free < enough:
            self._freed.wait(timeout)


class Permit:
    """The permit of one message, from its receive until its job has left its slot."""

    __slots__ = ("_closed", "_in_slot_at", "_is_taken", "_permits", "_since")

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        self._is_taken = True
        self._closed = False
        #: The time of the receive, later by the waits for others.
        self._since = permits.clock()
        self._in_slot_at: float | None = None

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Lend it out for the block."""
        clock = self._permits.clock
        lent_at = clock()
        self._permits.give()
        try:
            yield
        finally:
            self._permits.retake()
            self._since += clock() - lent_at

    def at_slot(self) -> None:
        """Its job has all that it needs but a slot."""
        self._permits.at_slot_in(self._permits.clock() - self._since)

    def in_slot(self) -> None:
        """Its job has its slot."""
        self._in_slot_at = self._permits.clock()

    def give(self) -> None:
        """Give it back, unless that was done before: its job has left its slot, or gets none."""
        if self._is_taken:
            self._is_taken = False
            in_slot_at = self._in_slot_at
            ran = 0.0 if in_slot_at is None else self._permits.clock() - in_slot_at
            self._permits.completed(ran)

    def close(self) -> None:
        """Its message is settled, or left to come back by itself."""
        self.give()
        if not self._closed:
            self._closed = True
            self._permits.settled()
