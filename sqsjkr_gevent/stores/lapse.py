"""When another owner's lease has lapsed, judged by the observer's clock alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass

#: How many leases of others are remembered. Beyond that the oldest is forgotten; if it is asked
#: for again, its watch starts anew.
_MAX_WATCHED = 10_000


@dataclass(slots=True)
class _Sighting:
    owner: str
    version: int
    since: float


class LeaseWatch:
    """A lease seen with the same owner and version for its whole length has lapsed.

    Clocks of two hosts are never compared. clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sightings: dict[str, _Sighting] = {}

    def lapses_in(self, lease_id: str, owner: str, version: int, lease: float) -> float:
        """Seconds until the lease lapses unless it is renewed; 0 once it has."""
        seen = self._sightings.get(lease_id)
        now = self._clock()
        if seen is None or (seen.owner, seen.version) != (owner, version):
            self.forget(lease_id)
            seen = self._sightings[lease_id] = _Sighting(owner, version, now)
            if len(self._sightings) > _MAX_WATCHED:
                del self._sightings[next(iter(self._sightings))]
        return max(0.0, seen.since + lease - now)

    def has(self, lease_id: str) -> bool:
        """Whether the lease is watched."""
        return lease_id in self._sightings

    def forget(self, lease_id: str) -> None:
        """Stop watching the lease."""
        self._sightings.pop(lease_id, None)
