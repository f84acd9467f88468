"""How often something happens now."""

import math

from ..clock import Clock


class Rate:
    """Events per second, those of the last `over` seconds weighing most."""

    def __init__(self, over: float, clock: Clock) -> None:
        self._over = over
        self._clock = clock
        self._rate = 0.0
        self._at = clock()

    def count(self, amount: float = 1.0) -> None:
        """It happens now, or an amount of it ends now: per_second() is then what ends in one."""
        now = self._clock()
        self._rate = self._at_time(now) + amount / self._over
        self._at = now

    def per_second(self) -> float:
        """The rate now: it falls while nothing happens."""
        return self._at_time(self._clock())

    def _at_time(self, now: float) -> float:
        return self._rate * math.exp((self._at - now) / self._over)
