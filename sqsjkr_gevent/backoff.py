"""Exponential back-off, with jitter so that hosts do not retry in step."""

import random


def jittered(seconds: float) -> float:
    """A random time between half of `seconds` and `seconds`."""
    return seconds * random.uniform(0.5, 1.0)


def doubled(first: float, limit: float, times: int) -> float:
    """`first` seconds, doubled that many times, and at most `limit`."""
    # The exponent is bounded, since a float power overflows after days of failures.
    return min(limit, first * 2.0 ** min(times, 32))


class Backoff:
    """Delays that double from `first` to `limit` seconds until a try succeeds."""

    def __init__(self, first: float, limit: float) -> None:
        self._first = first
        self._limit = limit
        self.failures = 0

    def failed(self) -> float:
        """Count a failure. Returns the seconds to wait before the next try."""
        self.failures += 1
        return jittered(doubled(self._first, self._limit, self.failures - 1))

    def succeeded(self) -> None:
        """Start over: the next failure counts as the first."""
        self.failures = 0
