"""A pool of greenlets that are reused from call to call."""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.event import Event
from gevent.hub import Waiter

T = TypeVar("T")


class Crew:
    """Makes each call in a greenlet of its own.

    A new greenlet for each short job is costly, mostly because of the memory of its stack.
    max_idle: how many greenlets are kept for later calls.
    """

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._idle: list[Waiter[Any]] = []
        self._busy = 0
        self._over = Event()
        self._over.set()

    def __len__(self) -> int:
        """How many calls have not ended."""
        return self._busy

    def spawn(self, call: Callable[[T], None], argument: T) -> None:
        """Have the call made soon. What it raises is printed, and ends its greenlet."""
        self._busy += 1
        self._over.clear()
        if self._idle:
            gevent.get_hub().loop.run_callback(self._idle.pop().switch, (call, argument))
        else:
            gevent.spawn(self._serve, call, argument)

    def join(self, timeout: float | None = None) -> None:
        """Wait until all calls have ended, for at most `timeout` seconds."""
        self._over.wait(timeout)

    def close(self) -> None:
        """End the idle greenlets, and the others once they are idle."""
        self._max_idle = 0
        while self._idle:
            gevent.get_hub().loop.run_callback(self._idle.pop().switch, None)

    def _serve(self, call: Callable[[T], None], argument: T) -> None:
        while True:
            try:
                # Not `*arguments`: the interpreter would nest, and each job that waits keeps half a
                # KB of the stack for that.
                call(argument)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._over.set()
            if len(self._idle) >= self._max_idle:
                return
            waiter: Waiter[Any] = Waiter()
            self._idle.append(waiter)
            work = waiter.get()
            if work is None:
                return
            call, argument = work
