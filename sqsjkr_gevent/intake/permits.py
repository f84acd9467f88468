"""Permits: a message is received only for a slot that is free, or will be when it is here."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event
from gevent.lock import BoundedSemaphore

from ..clock import Clock
from .rate import Rate
from .waiting_room import WaitingRoom

#: Seconds over which completions are measured.
_RATE_OVER = 5.0

#: Messages that may wait to be settled after their jobs have ended. Beyond that, none is received.
MAX_UNSETTLED = 1000

#: A receive counts as at most this many times as long as the one before it.
_SLOWER = 1.05


class Permits:
    """Permits to receive messages, one for each message.

    There are as many as slots. While jobs are short there are more, to prefetch as many messages as
    jobs will end during a receive. While jobs are long nothing is prefetched, since another kicker
    may have a free slot for it.
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
        self._taken = 0
        self._unsettled = 0
        self._turn = BoundedSemaphore()
        self._enough = 1
        self._freed = Event()
        self._completions = Rate(over=_RATE_OVER, clock=clock)
        self._receive_time = math.inf

    @property
    def completions_per_second(self) -> float:
        """How many jobs end each second, now."""
        return self._completions.per_second()

    @property
    def ahead(self) -> int:
        """How many permits there are beyond the slots."""
        during_a_receive = self._completions.per_second() * self._receive_time
        if not 1 <= during_a_receive < math.inf:
            return 0
        # A receive starts once a whole batch of permits is free.
        return min(self._size, int(during_a_receive) + self._batch)

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
        self._batch = limit
        with self._turn:
            self.wait(timeout)
            if self.free:
                self._wait_for(min(limit, self._size), linger)
            return self.take(limit)

    def retake(self) -> None:
        """Take back the permit that a waiting job lent out, whether or not one is free."""
        self._taken += 1

    def give(self, number: int = 1) -> None:
        """Give permits back."""
        self._taken -= number
        if self.free >= self._enough:
            self._freed.set()

    def completed(self) -> None:
        """A job has ended: give its permit back. Its message is not settled yet."""
        self._completions.count()
        self._unsettled += 1
        self.give()

    def settled(self) -> None:
        """The message of a job that has ended is settled, or is left to come back by itself."""
        self._unsettled -= 1
        self.give(0)

    def received_in(self, seconds: float) -> None:
        """A receive that found messages waiting took this long."""
        # Near the quickest ones: a slow one may have waited for its messages.
        self._receive_time = min(seconds, self._receive_time * _SLOWER)

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
    """The permit of one message, from its receive until its job has ended."""

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        self._is_taken = True
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Lend it out for the block."""
        self._permits.give()
        try:
            yield
        finally:
            self._permits.retake()

    def give(self) -> None:
        """Give it back, unless that was done before."""
        if self._is_taken:
            self._is_taken = False
            self._permits.completed()

    def close(self) -> None:
        """Its message is settled, or left to come back by itself."""
        self.give()
        if not self._closed:
            self._closed = True
            self._permits.settled()
