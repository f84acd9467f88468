"""Checks whether the holder of a lock still renews it, in the same way as another kicker would."""

import time
from collections.abc import Callable

from ...clock import Clock
from ...errors import SqsjkrError
from ...stores import Holder, ListedLocker
from ...stores.lapse import LeaseWatch

#: Maximum seconds between two checks.
CHECK_INTERVAL = 1.0


class Alive(SqsjkrError):
    """The lock is in use: its holder renewed it, or another job has taken it since."""


def watch_lapse(
    locker: ListedLocker,
    seen: Holder,
    on_wait: Callable[[float], None],
    *,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the lease has lapsed. Returns False if the lock became free meanwhile.

    on_wait: called before each wait with the seconds left. Raises Alive and StoreError.
    """
    assert seen.owner is not None
    assert seen.version is not None
    assert seen.lease is not None
    watch = LeaseWatch(clock)
    while left := watch.lapses_in(seen.lock_id, seen.owner, seen.version, seen.lease):
        on_wait(left)
        sleep(min(CHECK_INTERVAL, left))
        now = locker.holder(seen.lock_id)
        if now is None:
            return False
        check_same(seen, now)
    return True


def check_same(seen: Holder, now: Holder) -> None:
    """Raise Alive if the lock has been renewed or has another holder."""
    if now.owner != seen.owner or now.event_id != seen.event_id:
        who = now.owner or "a sqsjkr host"
        raise Alive(f"lock {seen.lock_id!r} is now held by {who}: nothing was released")
    if now.version != seen.version:
        raise Alive(
            f"lock {seen.lock_id!r} is held by {seen.owner}, which renews it: stop that job, or "
            f"use --force"
        )
