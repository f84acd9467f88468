"""Locks and states of jobs by statements that share their calls, wherever that is enough.

Each method returns whether it was done, or the token. Otherwise nobody knows, and the locker or
throttler asks by a call of its own.
"""

import time

from ...aws.table import Table, key, value
from . import rows
from .known import NO_ROW, KnownLocks

_TAKEN = ("EventId", "Owner", "Version", "Lease", "Token", "LockedAt")
_TAKE = " ".join(f'SET "{name}" = ?' for name in _TAKEN)
_TAKE_UNTOLD = _TAKE + ' REMOVE "Expired" REMOVE "FreeIn"'
_TAKE_TOLD = _TAKE + ' SET "FreeIn" = ? REMOVE "Expired"'
_IS_FREE = '"EventId" IS MISSING AND "Token" = ?'
_FREE = (
    'SET "Expired" = ? REMOVE "EventId" REMOVE "Owner" REMOVE "Version" REMOVE "Lease"'
    ' REMOVE "LockedAt" REMOVE "FreeIn"'
)
_RENEW = 'SET "Version" = "Version" + ?'
_RENEW_CLAIM = _RENEW + ' SET "Expired" = ?'
_MARK = 'SET "Expired" = ? SET "Status" = ? REMOVE "Version" REMOVE "Lease"'
_IS_OWNED = '"Owner" = ?'
_IS_RUN = _IS_OWNED + ' AND "Status" = ?'


class GatheredLocks:
    """Locks whose rows are as this kicker left them. lease: seconds."""

    def __init__(self, table: Table, lease: float) -> None:
        self._table = table
        self._lease = lease
        self.known = KnownLocks()

    def take(self, lock_id: str, event_id: str, owner: str, free_in: float | None) -> int | None:
        """See locker.DynamoDBLocker.acquire(). Returns the token."""
        known = self.known.guess(lock_id)
        if known is None:
            return None
        token = (now() if known == NO_ROW else known) + 1
        values: list[str | int | float] = [event_id, owner, 1, self._lease, token, int(time.time())]
        names: tuple[str, ...] = _TAKEN
        if free_in is not None:
            names, values = (*names, "FreeIn"), [*values, free_in]
        if known == NO_ROW:
            row = {name: value(one) for name, one in zip(names, values, strict=True)}
            is_taken = self._table.try_insert({**key(lock_id, "lock"), **row})
        else:
            changes = _TAKE_UNTOLD if free_in is None else _TAKE_TOLD
            is_taken = self._table.try_update(lock_id, "lock", changes, values, _IS_FREE, [known])
        if not is_taken:
            return None
        self.known.taken(lock_id, owner, token, is_new=known == NO_ROW)
        return token

    def renew(self, lock_id: str, owner: str) -> bool:
        """See DynamoDBLocker.renew()."""
        return self._table.try_update(lock_id, "lock", _RENEW, [1], _IS_OWNED, [owner], urgent=True)

    def release(self, lock_id: str, owner: str, kept_until: int) -> bool:
        """See DynamoDBLocker.release(). kept_until: epoch seconds."""
        return self._table.try_update(lock_id, "lock", _FREE, [kept_until], _IS_OWNED, [owner])


class GatheredClaims:
    """Claims on jobs. lease: seconds."""

    def __init__(self, table: Table, lease: float) -> None:
        self._table = table
        self._lease = lease

    def claim(self, job_id: str, owner: str, expired: int) -> bool:
        """See throttler.DynamoDBThrottler.claim(). expired: epoch seconds, as of all here."""
        return self._table.try_insert(
            {
                **key(job_id, "throttle"),
                "Expired": value(expired),
                "Owner": value(owner),
                "Version": value(1),
                "Lease": value(self._lease),
                "Status": value(rows.RUNNING),
            }
        )

    def renew(self, job_id: str, owner: str, expired: int) -> bool:
        """See DynamoDBThrottler.renew()."""
        matched = [owner, rows.RUNNING]
        return self._table.try_update(
            job_id, "throttle", _RENEW_CLAIM, [1, expired], _IS_RUN, matched, urgent=True
        )

    def done(self, job_id: str, owner: str, expired: int, within: float) -> bool:
        """See DynamoDBThrottler.done(). within: seconds after which it is not sent any more."""
        return self._table.try_update(
            job_id, "throttle", _MARK, [expired, rows.DONE], _IS_OWNED, [owner], within=within
        )


def now() -> int:
    """The clock's milliseconds: one less than the first token of a lock."""
    return time.time_ns() // 1_000_000
