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

    def count(self) -> None:
        """It happens now."""
        self._rate = self.per_second() + 1 / self._over
        self._at = self._clock()

    def per_second(self) -> float:
        """The rate now: it falls while nothing happens."""
        return self._rate * math.exp((self._at - self._clock()) / self._over)
