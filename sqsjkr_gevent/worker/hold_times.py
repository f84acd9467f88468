"""How long jobs hold their locks, so that other hosts know when to look for one again."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..clock import Clock

#: Locks whose times are remembered; of more the one goes that was held longest ago.
MAX_KNOWN = 10_000


class HoldTimes:
    """The usual time of each lock, the last ones counting most. clock: monotonic, in seconds."""

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
        """Seconds that it takes to hold the lock so often; None where that is not known yet."""
        usual = self._usual.get(lock_id)
        return None if usual is None else round(usual * times, 3)
