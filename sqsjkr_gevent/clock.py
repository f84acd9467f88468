"""What tells the time."""

import time
from collections.abc import Callable

#: A clock in seconds: of the epoch where it is a wall clock, of any start where it is monotonic.
Clock = Callable[[], float]


def steady() -> float:
    """Monotonic seconds that also count while the host is suspended, where the system can.

    For the leases that one holds: others go on counting. See clock_gettime(2), CLOCK_BOOTTIME.
    """
    if _BOOTTIME is None:
        return time.monotonic()
    return time.clock_gettime(_BOOTTIME)


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
