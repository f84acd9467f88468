"""`locks release --ours-lapsed`: frees locks and jobs left by kickers that are gone.

sqsjkr has no leases: for it, such a lock stays held, and such a job counts as already seen.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ...clock import Clock
from ...stores import Holder, InProgress, ListedLocker, ListedThrottler
from .watch import CHECK_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A lock or a job with a lease, as first seen.

    lease: seconds. free: frees it unless it has changed; returns whether it did.
    freed_text: what to print then, after `what`.
    """

    what: str
    owner: str
    lease: float
    freed_text: str
    free: Callable[[], bool]


def leased_locks(locker: ListedLocker) -> Iterator[Leftover]:
    """The locks with a lease; those of sqsjkr hosts have none."""
    for one in locker.holders():
        if one.owner is not None and one.lease is not None:
            yield _lock(locker, one, one.owner, one.lease)


def running_jobs(throttler: ListedThrottler) -> Iterator[Leftover]:
    """The jobs in progress."""
    return (_job(throttler, one) for one in throttler.running())


def free_lapsed(
    leftovers: Iterable[Leftover],
    on_wait: Callable[[float], None],
    *,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Leftover, bool]]:
    """Free each one whose lease has lapsed. Yields each, and whether it was freed.

    Call it after all of them have been read. Each is freed one lease after the call, and only if
    its version in the store is unchanged: it was not renewed for a whole lease. on_wait: called
    before each wait with the seconds left until the next one.
    """
    began = clock()
    for one in sorted(leftovers, key=lambda one: one.lease):
        while (wait := began + one.lease - clock()) > 0:
            on_wait(wait)
            sleep(min(CHECK_INTERVAL, wait))
        yield one, one.free()


def _lock(locker: ListedLocker, holder: Holder, owner: str, lease: float) -> Leftover:
    return Leftover(
        what=f"lock {holder.lock_id!r}",
        owner=owner,
        lease=lease,
        freed_text="is released",
        free=lambda: locker.evict(holder),
    )


def _job(throttler: ListedThrottler, seen: InProgress) -> Leftover:
    return Leftover(
        what=f"job {seen.job_id}",
        owner=seen.owner,
        lease=seen.lease,
        freed_text="is forgotten: its message counts as new when redelivered",
        free=lambda: throttler.forget(seen),
    )
