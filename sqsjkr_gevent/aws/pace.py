"""While a service fails, its calls wait at a gate, which lets one out from time to time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gevent import getcurrent
from gevent.event import Event

from ..clock import Clock


class Pace:
    """Shared by the clients of one service. spacing: seconds between two calls while it fails.

    The first call that is answered opens the gate for all that wait. Nobody has a time booked, so
    whoever is killed while it waits keeps nobody else waiting.
    """

    def __init__(self, spacing: float = 0.5, clock: Clock = time.monotonic) -> None:
        self._spacing = spacing
        self._clock = clock
        self._next_at = 0.0
        self._failing = False
        # Who asks for something urgent, and who waits: the urgent ones, then the others. Each is
        # in the order of arrival, so these are dicts for want of an ordered set.
        self._hurried: set[object] = set()
        self._urgent: dict[Event, None] = {}
        self._others: dict[Event, None] = {}
        # How often the gate was opened, and how often it had been when a caller's try went out.
        self._openings = 0
        self._sent: dict[object, int] = {}

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """What this greenlet calls in the block goes before what others wait for."""
        caller = getcurrent()
        self._hurried.add(caller)
        try:
            yield
        finally:
            self._hurried.discard(caller)

    def before_send(self, **_: object) -> None:
        """A handler of botocore's event of that name: each try of each call passes here."""
        caller = getcurrent()
        if self._failing:
            self._wait(self._urgent if caller in self._hurried else self._others)
        self._sent[caller] = self._openings

    def over(self) -> None:
        """This greenlet's call has ended, however it did."""
        self._sent.pop(getcurrent(), None)

    def succeeded(self) -> None:
        """The service answers: go ahead, all of you."""
        if self._failing:
            self._failing = False
            self._openings += 1
            for turn in (*self._urgent, *self._others):
                turn.set()

    def failed(self) -> None:
        """The service fails: slow down.

        What this greenlet sent before the gate was opened says nothing about the service now.
        """
        if not self._failing and self._sent.get(getcurrent()) in (None, self._openings):
            self._failing = True
            self._next_at = self._clock() + self._spacing

    def _wait(self, line: dict[Event, None]) -> None:
        turn = Event()
        line[turn] = None
        try:
            while self._failing:
                now = self._clock()
                first = turn is self._first()
                if first and now >= self._next_at:
                    self._next_at = now + self._spacing
                    return
                turn.clear()
                turn.wait(self._next_at - now if first else None)
        finally:
            # However this one leaves, by its turn or by a kill: the next is to look at the clock.
            del line[turn]
            follower = self._first()
            if follower is not None:
                follower.set()

    def _first(self) -> Event | None:
        return next(iter(self._urgent or self._others), None)
