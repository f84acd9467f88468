"""How long jobs hold their locks, so that other hosts know when to try for one again."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..clock import Clock

#: How many locks are remembered. Beyond that, the one least recently held is forgotten.
MAX_KNOWN = 10_000


class HoldTimes:
    """The usual hold time of each lock; recent times weigh most. clock: monotonic seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._usual: dict[str, float] = {}

    @contextmanager
    def measured(self, lock_id: str) -> Iterator[None]:
        """The lock is held for the block."""
        began_at = self._clock()
        try:
            yield
        finally:
            took = self._clock() - began_at
            usual = self._usual.pop(lock_id, took)
            if len(self._usual) >= MAX_KNOWN:
                del self._usual[next(iter(self._usual))]
            self._usual[lock_id] = (usual + took) / 2

    def of(self, lock_id: str, times: int) -> float | None:
        """Seconds that it takes to hold the lock this many times; None if not known yet."""
        usual = self._usual.get(lock_id)
        return None if usual is None else round(usual * times, 3)
