"""Waits that grow from one failure to the next, with jitter so that hosts do not move in step."""

import random


def jittered(seconds: float) -> float:
    """Between half of `seconds` and all of it."""
    return seconds * random.uniform(0.5, 1.0)


class Backoff:
    """Doubles from `first` to `most` seconds, until something succeeds."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self.failures = 0

    def failed(self) -> float:
        """Count a failure; answer the seconds to wait before the next try."""
        self.failures += 1
        # The exponent is bounded, since a float power overflows after days of failures.
        return jittered(min(self._most, self._first * 2.0 ** min(self.failures - 1, 32)))

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0
