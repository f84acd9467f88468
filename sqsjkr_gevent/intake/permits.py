"""Permits for messages, and the waits of jobs that hold one without running."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from greenlet import greenlet

from ..clock import Clock
from ..errors import OverLifeTime, Stopping
from .rate import Rate

#: Seconds over which completions are measured.
_RATE_OVER = 5.0

#: Jobs that are over and whose messages are not settled, at most: more are not received meanwhile.
MAX_UNSETTLED = 1000

#: By how much a receive may take longer than the one before it.
_SLOWER = 1.05


class WaitingRoom:
    """Where jobs wait that hold a message but do not run: for a lock, for a slot, for another host.

    A wait ends early by OverLifeTime where its time is up, and by Stopping once the room closes.
    Only waits may happen inside, never a call to a server, which an exception would cut in half.
    """

    def __init__(self) -> None:
        self._inside: set[greenlet] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._inside)

    @contextmanager
    def waiting(self, seconds: float | None = None) -> Iterator[None]:
        """Bound the waits of the block to `seconds`. Raises OverLifeTime or Stopping."""
        if self._closed:
            raise Stopping("the kicker stops")
        if seconds is not None and seconds <= 0:
            raise OverLifeTime("its life_time is over")
        me = gevent.getcurrent()
        with gevent.Timeout(seconds, OverLifeTime("its life_time is over")):
            self._inside.add(me)
            try:
                yield
            finally:
                self._inside.discard(me)

    def close(self) -> None:
        """End all waits, now and from now on, by Stopping."""
        self._closed = True
        loop = gevent.get_hub().loop
        for inside in tuple(self._inside):
            loop.run_callback(self._put_out, inside)

    def _put_out(self, inside: greenlet) -> None:
        # In the hub, so that whoever is inside is suspended in its wait at this very moment.
        if inside in self._inside:
            inside.throw(Stopping("the kicker stops"))


class Permits:
    """Counts the messages that have a slot, or will have one as soon as they are here.

    A message is received only once a permit is taken for it. There are as many as slots, and, while
    jobs are short, as many ahead as will end during a receive; with long jobs none is ahead, since
    another kicker may have a slot for it now.
    size: the number of slots. max_waiting: most jobs in the room before no more messages are
    received.
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
        """How many jobs are over each second, now."""
        return self._completions.per_second()

    @property
    def ahead(self) -> int:
        """Permits beyond the slots."""
        during_a_receive = self._completions.per_second() * self._receive_time
        if not 1 <= during_a_receive < math.inf:
            return 0
        # A receive is made for a whole batch of permits, so that many are free when it begins.
        return min(self._size, int(during_a_receive) + self._batch)

    @property
    def free(self) -> int:
        """Permits that a receiver may take; none while waiting jobs have come back for theirs."""
        held = self._size + self.ahead - self._taken
        may_wait = self._max_waiting - len(self._room)
        return max(0, min(held, may_wait, MAX_UNSETTLED - self._unsettled))

    def take(self, most: int) -> int:
        """Take up to `most` permits; answers how many, 0 where none is free."""
        taken = min(most, self.free)
        self._taken += taken
        return taken

    def gather(self, most: int, linger: float, timeout: float) -> int:
        """Take up to `most` permits: as many as are free `linger` seconds after the first was.

        most: what one receive brings at most. Answers 0 where none is within `timeout` seconds, or
        as soon as woken.
        """
        self._batch = most
        with self._turn:
            self.wait(timeout)
            if self.free:
                self._wait_for(min(most, self._size), linger)
            return self.take(most)

    def retake(self) -> None:
        """Take the permit back that a waiting job lent out, whether or not one is free."""
        self._taken += 1

    def give(self, number: int = 1) -> None:
        """Give permits back."""
        self._taken -= number
        if self.free >= self._enough:
            self._freed.set()

    def completed(self) -> None:
        """A job is over: give its permit back. Its message is to be settled yet."""
        self._completions.count()
        self._unsettled += 1
        self.give()

    def settled(self) -> None:
        """The message of a job that is over is settled, or left to itself."""
        self._unsettled -= 1
        self.give(0)

    def received_in(self, seconds: float) -> None:
        """A receive for which messages were there took so long."""
        # The quickest ones, slowly forgotten: another may have waited for its messages.
        self._receive_time = min(seconds, self._receive_time * _SLOWER)

    def wait(self, timeout: float) -> None:
        """Wait until a permit is given back, or woken, at most `timeout` seconds."""
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
    """One permit that a message holds, from its receive until its job no longer runs."""

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        self._held = True
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let others have it for the block."""
        self._permits.give()
        try:
            yield
        finally:
            self._permits.retake()

    def give(self) -> None:
        """Give it back, if that was not done before."""
        if self._held:
            self._held = False
            self._permits.completed()

    def close(self) -> None:
        """Its message is of no more concern."""
        self.give()
        if not self._closed:
            self._closed = True
            self._permits.settled()
