"""While a service fails, its calls go out one by one, some time apart."""

import time

import gevent

from ..clock import Clock


class Pace:
    """Shared by the clients of one service. spacing: seconds between two calls while it fails."""

    def __init__(self, spacing: float = 0.5, clock: Clock = time.monotonic) -> None:
        self._spacing = spacing
        self._clock = clock
        self._next_at = 0.0
        self._failing = False

    def before_send(self, **_: object) -> None:
        """A handler of botocore's event of that name: each try of each call passes here."""
        if not self._failing:
            return
        now = self._clock()
        self._next_at = max(now, self._next_at + self._spacing)
        gevent.sleep(self._next_at - now)

    def succeeded(self) -> None:
        """The service answers: go ahead."""
        self._failing = False

    def failed(self) -> None:
        """The service fails: slow down."""
        if not self._failing:
            self._failing = True
            self._next_at = self._clock()
