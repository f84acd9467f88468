"""Clocks."""

import time
from collections.abc import Callable

#: Returns seconds: since the epoch for a wall clock, since an arbitrary start for a monotonic one.
Clock = Callable[[], float]


def steady() -> float:
    """Monotonic seconds that include the time the host is suspended, if the system supports that.

    For leases this kicker holds: they go on lapsing while it is suspended. See clock_gettime(2),
    CLOCK_BOOTTIME.
    """
    if _BOOTTIME is None:
        return time.monotonic()
    return time.clock_gettime(_BOOTTIME)


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
