"""Locks in sqsjkr's DynamoDB table."""

import time
from collections.abc import Iterator
from functools import partial

from ...aws.table import Row, Table
from ...clock import Clock
from ...errors import AlreadyLocked, LeaseLost, StoreError
from ..lapse import LeaseWatch
from ..locker import Holder
from . import rows
from .gathered import GatheredLocks, now

#: The row of a free lock is kept for this many seconds for its fencing token; then TTL may
#: remove it.
FREE_LOCK_KEPT = 30 * 86400

#: The name of a holder that has none.
_SQSJKR = "a sqsjkr host"

_FREE_IT = "SET Expired = :later REMOVE EventId, #Owner, #Version, #Lease, LockedAt, FreeIn"


class DynamoDBLocker:
    """Locks across hosts. lease: seconds, as in `[locker] lease`."""

    lease: float | None

    def __init__(self, table: Table, *, lease: float, clock: Clock = time.monotonic) -> None:
        self.lease: float | None = lease
        self._seconds = lease
        self._table = table
        self._watch = LeaseWatch(clock)
        self._gathered = GatheredLocks(table, lease)

    def check(self) -> None:
        """Raises StartError if the table cannot be used."""
        self._table.check()

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        """Take the lock. Raises AlreadyLocked, with the seconds until it may lapse."""
        if heir_of is None:
            token = self._gathered.take(lock_id, event_id, owner, free_in)
            if token is not None:
                self._watch.forget(lock_id)
                return token
        first = now() + 1
        try:
            row = self._ask(lock_id, event_id, owner, heir_of, free_in, first)
        except (AlreadyLocked, StoreError):
            self._gathered.known.unsure(lock_id)
            raise
        self._watch.forget(lock_id)
        token = int(row["Token"]["N"])
        self._gathered.known.taken(lock_id, owner, token, is_new=token == first)
        return token

    def _ask(
        self,
        lock_id: str,
        event_id: str,
        owner: str,
        heir_of: str | None,
        free_in: float | None,
        first: int,
    ) -> Row:
        """Take the lock, whatever its row is like; returns the row."""
        take = partial(self._take, lock_id, event_id, owner, free_in, first)
        row, taken = take("attribute_not_exists(EventId)")
        if not taken:
            lapses_in = rows.lapses_in(self._watch, lock_id, row)
            holder = rows.owner_of(row)
            if lapses_in is None or (lapses_in > 0 and holder != heir_of):
                raise _already_locked(lock_id, row, lapses_in)
            version = int(row["Version"]["N"])
            row, taken = take("#Owner = :old AND #Version = :seen", old=str(holder), seen=version)
            if not taken:
                raise _already_locked(lock_id, row, rows.lapses_in(self._watch, lock_id, row))
        return row

    def _take(
        self,
        lock_id: str,
        event_id: str,
        owner: str,
        free_in: float | None,
        first: int,
        condition: str,
        **values: str | int | float,
    ) -> tuple[Row, bool]:
        if free_in is not None:
            values["free"] = free_in
        # The first token is the clock's, so that tokens grow even if a sqsjkr host deletes the row
        # between two of our locks.
        row, taken = self._table.update(
            lock_id,
            "lock",
            "SET EventId = :event, #Owner = :owner, #Version = :one, #Lease = :lease,"
            " #Token = if_not_exists(#Token, :before) + :one, LockedAt = :at"
            + (" REMOVE Expired, FreeIn" if free_in is None else ", FreeIn = :free REMOVE Expired"),
            condition,
            event=event_id,
            owner=owner,
            lease=self._seconds,
            before=first - 1,
            at=int(time.time()),
            one=1,
            **values,
        )
        return row, taken or rows.is_of(row, owner)

    def renew(self, lock_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        held = self._gathered.renew(lock_id, owner) or self._table.renew(
            lock_id, "lock", "SET #Version = #Version + :one", "#Owner = :owner", owner=owner, one=1
        )
        if not held:
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")

    def release(self, lock_id: str, owner: str) -> None:
        """Give the lock back, its token kept in the row. Raises LeaseLost."""
        held = self._gathered.release(lock_id, owner, _kept_until())
        if not held:
            _, held = self._free(lock_id, "#Owner = :owner", owner=owner)
        if not held:
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")
        self._gathered.known.freed(lock_id, owner)

    def holders(self) -> Iterator[Holder]:
        """See ListedLocker. It reads the whole table: held rows are in no index."""
        for row in self._table.scan("lock", "attribute_exists(EventId)"):
            yield _holder(row)

    def holder(self, lock_id: str) -> Holder | None:
        """See ListedLocker."""
        row = self._table.get(lock_id, "lock")
        return _holder(row) if "EventId" in row else None

    def evict(self, holder: Holder, *, force: bool = False) -> bool:
        """See ListedLocker."""
        if holder.owner is None:
            condition = "attribute_not_exists(#Owner) AND EventId = :event"
            values: dict[str, str | int] = {"event": holder.event_id}
        else:
            condition, values = "#Owner = :owner", {"owner": holder.owner}
        if holder.version is not None and not force:
            condition += " AND #Version = :seen"
            values["seen"] = holder.version
        row, freed = self._free(holder.lock_id, condition, **values)
        # Free already: its holder freed it, or an earlier try of this call did and its answer was
        # lost.
        return freed or "EventId" not in row

    def _free(self, lock_id: str, condition: str, **values: str | int) -> tuple[Row, bool]:
        return self._table.update(
            lock_id,
            "lock",
            _FREE_IT,
            condition,
            later=_kept_until(),
            **values,
        )


def _kept_until() -> int:
    return int(time.time()) + FREE_LOCK_KEPT


def _already_locked(lock_id: str, row: Row, lapses_in: float | None) -> AlreadyLocked:
    holder = rows.owner_of(row) or _SQSJKR
    return AlreadyLocked(
        f"lock {lock_id!r} is held by {holder}",
        lapses_in=lapses_in,
        holder=holder,
        # sqsjkr leaves attributes as they are: without an owner, FreeIn is from a lock of ours.
        free_in=float(row["FreeIn"]["N"]) if "FreeIn" in row and "Owner" in row else None,
    )


def _holder(row: Row) -> Holder:
    def number(name: str) -> float | None:
        return float(row[name]["N"]) if name in row else None

    return Holder(
        lock_id=row["Id"]["S"],
        event_id=row["EventId"]["S"],
        owner=rows.owner_of(row),
        version=int(row["Version"]["N"]) if "Version" in row else None,
        lease=number("Lease"),
        locked_at=number("LockedAt"),
    )
