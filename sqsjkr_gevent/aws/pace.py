"""While a service fails, its calls wait at a gate that lets through one call per interval."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gevent import getcurrent
from gevent.event import Event

from ..clock import Clock


class Pace:
    """Shared by the clients of one service. spacing: seconds between two calls while it fails.

    The first successful call opens the gate for all waiting calls. Waiting calls have no fixed
    time slots, so killing one delays no other.
    """

    def __init__(self, spacing: float = 0.5, clock: Clock = time.monotonic) -> None:
        self._spacing = spacing
        self._clock = clock
        self._next_at = 0.0
        self._failing = False
        # The greenlets that make urgent calls.
        self._hurried: set[object] = set()
        # Waiting calls in order of arrival (dicts used as ordered sets); urgent ones go first.
        self._urgent: dict[Event, None] = {}
        self._others: dict[Event, None] = {}
        # How often the gate was opened: until now, and until each greenlet's current try was sent.
        self._openings = 0
        self._sent: dict[object, int] = {}

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Within the block, calls of this greenlet go ahead of waiting ones."""
        caller = getcurrent()
        self._hurried.add(caller)
        try:
            yield
        finally:
            self._hurried.discard(caller)

    def before_send(self) -> None:
        """Wait at the gate, if it is closed. Called before each try of each call."""
        caller = getcurrent()
        if self._failing:
            self._wait(self._urgent if caller in self._hurried else self._others)
        self._sent[caller] = self._openings

    def over(self) -> None:
        """This greenlet's call has ended, successfully or not."""
        self._sent.pop(getcurrent(), None)

    def succeeded(self) -> None:
        """The service responds: let all calls through."""
        if self._failing:
            self._failing = False
            self._openings += 1
            for turn in (*self._urgent, *self._others):
                turn.set()

    def failed(self) -> None:
        """The service fails: close the gate.

        Ignored if this greenlet's request was sent before the gate was last opened: its failure is
        out of date.
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
            # After a turn or a kill, the next in line must check the clock.
            del line[turn]
            follower = self._first()
            if follower is not None:
                follower.set()

    def _first(self) -> Event | None:
        return next(iter(self._urgent or self._others), None)
