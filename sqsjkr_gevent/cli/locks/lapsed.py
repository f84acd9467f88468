"""`locks release --ours-lapsed`: what kickers that are gone left behind, locks and jobs.

To sqsjkr, which knows no leases, a lock of theirs is held for ever, and a job of theirs was seen.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ...clock import Clock
from ...stores import Holder, InProgress, ListedLocker, ListedThrottler
from .watch import LOOK_EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A lock or a job with a lease of ours, as it was seen.

    lease: seconds. end: ends it, and answers whether it was still as it was seen.
    """

    what: str
    owner: str
    lease: float
    ended: str
    end: Callable[[], bool]


def locks_of_ours(locker: ListedLocker) -> Iterator[Left]:
    """Those that have a lease; a sqsjkr host's has none."""
    for one in locker.holders():
        if one.owner is not None and one.lease is not None:
            yield _lock(locker, one, one.owner, one.lease)


def jobs_of_ours(throttler: ListedThrottler) -> Iterator[Left]:
    """Those in progress."""
    return (_job(throttler, one) for one in throttler.running())


def end_lapsed(
    left: Iterable[Left],
    tell: Callable[[float], None],
    *,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Left, bool]]:
    """Each, with whether it was ended, once a whole lease has passed since this was called.

    All of them must have been seen by then. The store ends one only where its version is still
    that of the first look: nobody renewed it for a whole lease. tell: given the seconds that are
    left until the next one, before each wait.
    """
    began = clock()
    for one in sorted(left, key=lambda one: one.lease):
        while (wait := began + one.lease - clock()) > 0:
            tell(wait)
            sleep(min(LOOK_EVERY, wait))
        yield one, one.end()


def _lock(locker: ListedLocker, holder: Holder, owner: str, lease: float) -> Left:
    return Left(
        what=f"lock {holder.lock_id!r}",
        owner=owner,
        lease=lease,
        ended="is released",
        end=lambda: locker.evict(holder),
    )


def _job(throttler: ListedThrottler, seen: InProgress) -> Left:
    return Left(
        what=f"job {seen.job_id}",
        owner=seen.owner,
        lease=seen.lease,
        ended="is forgotten: its message, once redelivered, is a new one",
        end=lambda: throttler.forget(seen),
    )
