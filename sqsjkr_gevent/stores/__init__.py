"""What outlives a kicker: locks, the memory of done jobs, and the history file.

A backend is a locker and a throttler over one store.
"""

from .factory import Checked, Closable, Stores, checks, is_custom
from .locker import Holder, LeasedLocker, ListedLocker, Locker, NoLocker, as_leased_locker
from .throttler import (
    InProgress,
    LeasedThrottler,
    ListedThrottler,
    NoThrottler,
    Throttler,
    as_leased_throttler,
)

__all__ = [
    "Checked",
    "Closable",
    "Holder",
    "InProgress",
    "LeasedLocker",
    "LeasedThrottler",
    "ListedLocker",
    "ListedThrottler",
    "Locker",
    "NoLocker",
    "NoThrottler",
    "Stores",
    "Throttler",
    "as_leased_locker",
    "as_leased_throttler",
    "checks",
    "is_custom",
]
