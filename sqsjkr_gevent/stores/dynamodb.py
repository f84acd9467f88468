"""Locks and job states in sqsjkr's DynamoDB table, shared by all hosts.

The rows are sqsjkr's: `EventId` in a lock row means locked, `Expired` in a throttle row means seen.
Ours carry besides: `Owner`, `Version` (grows with each renewal), `Lease` (seconds), in a lock row
`Token` and `LockedAt` (for people; no lease is judged by it), in a throttle row `Status`. A row
without `Owner` is sqsjkr's, has no lease, and is never taken over.
"""

import time
from collections.abc import Iterator
from functools import partial

import gevent

from ..aws import Batcher
from ..aws.table import MAX_BATCH, Row, Table, key, value
from ..clock import Clock
from ..errors import AlreadyLocked, DuplicatedMessage, JobInProgress, LeaseLost, StoreError
from .lapse import LeaseWatch
from .locker import Holder
from .throttler import InProgress

#: Seconds that the row of a free lock is kept for its fencing token, before TTL may remove it.
FREE_LOCK_KEPT = 30 * 86400

#: Leases that the row of a job in progress is kept at least, before TTL may remove it.
RUNNING_LEASES = 2

_DONE = "done"
_RUNNING = "running"

#: Whoever holds a lock without a name.
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

    def check(self) -> None:
        """Raises StartError where the table cannot be used."""
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
        take = partial(self._take, lock_id, event_id, owner, free_in)
        row, taken = take("attribute_not_exists(EventId)")
        if not taken:
            lapses_in = _lapses_in(self._watch, lock_id, row)
            holder = _owner(row)
            if lapses_in is None or (lapses_in > 0 and holder != heir_of):
                raise _already_locked(lock_id, row, lapses_in)
            version = int(row["Version"]["N"])
            row, taken = take("#Owner = :old AND #Version = :seen", old=str(holder), seen=version)
            if not taken:
                raise _already_locked(lock_id, row, _lapses_in(self._watch, lock_id, row))
        self._watch.forget(lock_id)
        return int(row["Token"]["N"])

    def _take(
        self,
        lock_id: str,
        event_id: str,
        owner: str,
        free_in: float | None,
        condition: str,
        **values: str | int | float,
    ) -> tuple[Row, bool]:
        if free_in is not None:
            values["free"] = free_in
        # A token starts at the clock's milliseconds, so that it grows even where a sqsjkr host
        # deleted the row between two of our locks.
        row, taken = self._table.update(
            lock_id,
            "lock",
            "SET EventId = :event, #Owner = :owner, #Version = :one, #Lease = :lease,"
            " #Token = if_not_exists(#Token, :now) + :one, LockedAt = :at"
            + (" REMOVE Expired, FreeIn" if free_in is None else ", FreeIn = :free REMOVE Expired"),
            condition,
            event=event_id,
            owner=owner,
            lease=self._seconds,
            now=time.time_ns() // 1_000_000,
            at=int(time.time()),
            one=1,
            **values,
        )
        return row, taken or _is_of(row, owner)

    def renew(self, lock_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        held = self._table.renew(
            lock_id, "lock", "SET #Version = #Version + :one", "#Owner = :owner", owner=owner, one=1
        )
        if not held:
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")

    def release(self, lock_id: str, owner: str) -> None:
        """Give the lock back, its token kept in the row. Raises LeaseLost."""
        _, held = self._free(lock_id, "#Owner = :owner", owner=owner)
        if not held:
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")

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
        # Free already: its holder was quicker, or this very call was heard and its answer lost.
        return freed or "EventId" not in row

    def _free(self, lock_id: str, condition: str, **values: str | int) -> tuple[Row, bool]:
        return self._table.update(
            lock_id,
            "lock",
            _FREE_IT,
            condition,
            later=int(time.time()) + FREE_LOCK_KEPT,
            **values,
        )


class DynamoDBThrottler:
    """Job states across hosts.

    lease: seconds a job stays in progress without a renewal.
    retention: seconds a done job's row is kept, at least as long as its message may live.
    """

    lease: float | None

    def __init__(
        self, table: Table, *, lease: float, retention: float, clock: Clock = time.monotonic
    ) -> None:
        self.lease = lease
        self._seconds = lease
        self._retention = retention
        self._table = table
        self._watch = LeaseWatch(clock)
        self._marks: Batcher[Row] = Batcher(
            table.put, max_entries=MAX_BATCH, linger=0.02, parallel=4
        )

    def check(self) -> None:
        """Raises StartError where the table cannot be used."""
        self._table.check()

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Mark the job as in progress. Raises DuplicatedMessage or JobInProgress."""
        row, ours = self._take(
            job_id,
            owner,
            "attribute_not_exists(Expired) OR"
            " (Expired < :now AND (attribute_not_exists(#Status) OR #Status = :done))",
            now=int(time.time()),
            done=_DONE,
        )
        if ours:
            return None
        if _status(row) != _RUNNING:
            self._watch.forget(job_id)
            raise DuplicatedMessage(f"job {job_id} is done")
        lapses_in = _lapses_in(self._watch, job_id, row)
        holder = row["Owner"]["S"]
        if lapses_in is None or lapses_in > 0:
            raise JobInProgress(
                f"job {job_id} is run by {holder}", lapses_in=lapses_in, holder=holder
            )
        version = int(row["Version"]["N"])
        row, ours = self._take(
            job_id, owner, "#Owner = :old AND #Version = :seen", old=holder, seen=version
        )
        if not ours:
            raise JobInProgress(f"job {job_id} was taken over by another", holder=_owner(row))
        self._watch.forget(job_id)
        return holder

    def _take(
        self, job_id: str, owner: str, condition: str, **values: str | int
    ) -> tuple[Row, bool]:
        row, ours = self._table.update(
            job_id,
            "throttle",
            "SET Expired = :expired, #Owner = :owner, #Version = :one, #Lease = :lease,"
            " #Status = :running",
            condition,
            expired=self._running_until(),
            owner=owner,
            lease=self._seconds,
            running=_RUNNING,
            one=1,
            **values,
        )
        return row, ours or (_is_of(row, owner) and _status(row) == _RUNNING)

    def renew(self, job_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        held = self._table.renew(
            job_id,
            "throttle",
            "SET #Version = #Version + :one, Expired = :expired",
            "#Owner = :owner AND #Status = :running",
            owner=owner,
            running=_RUNNING,
            one=1,
            expired=self._running_until(),
        )
        if not held:
            raise LeaseLost(f"job {job_id} is not run by {owner}")

    def done(self, job_id: str, owner: str) -> None:
        """Mark the job as done. Raises StoreError where that is not confirmed within a lease."""
        row = {
            **key(job_id, "throttle"),
            "Expired": value(int(time.time() + self._retention)),
            "Owner": value(owner),
            "Status": value(_DONE),
        }
        marked = self._marks.submit(row)
        try:
            marked.get(timeout=self._seconds)
        except gevent.Timeout:
            # Written later, it would keep a job from being run that went back meanwhile.
            self._marks.cancel(marked, StoreError(f"job {job_id} could not be marked as done"))
            marked.get()

    def release(self, job_id: str, owner: str) -> None:
        """Forget a job that did not run. Raises LeaseLost."""
        if not self._table.delete(job_id, "throttle", owner):
            raise LeaseLost(f"job {job_id} is not run by {owner}")

    def close(self, timeout: float) -> None:
        """Write the marks that wait, for at most `timeout` seconds."""
        self._marks.close(timeout, StoreError("the kicker stopped before the job's done mark"))

    def running(self) -> Iterator[InProgress]:
        """See ListedThrottler. It reads the whole table."""
        for row in self._table.scan("throttle", "attribute_exists(#Lease)"):
            yield InProgress(
                job_id=row["Id"]["S"],
                owner=row["Owner"]["S"],
                version=int(row["Version"]["N"]),
                lease=float(row["Lease"]["N"]),
            )

    def forget(self, seen: InProgress) -> bool:
        """See ListedThrottler."""
        return self._table.delete(seen.job_id, "throttle", seen.owner, seen.version)

    def _running_until(self) -> int:
        # Whatever the retention: TTL must not remove the row between two renewals.
        return int(time.time() + max(self._retention, RUNNING_LEASES * self._seconds))


def _already_locked(lock_id: str, row: Row, lapses_in: float | None) -> AlreadyLocked:
    holder = _owner(row) or _SQSJKR
    return AlreadyLocked(
        f"lock {lock_id!r} is held by {holder}",
        lapses_in=lapses_in,
        holder=holder,
        # sqsjkr leaves what it finds in a row: then it was told with a lock of ours before.
        free_in=float(row["FreeIn"]["N"]) if "FreeIn" in row and "Owner" in row else None,
    )


def _is_of(row: Row, owner: str) -> bool:
    """Whether an earlier try of the very call was heard, and only its answer lost."""
    return _owner(row) == owner


def _owner(row: Row) -> str | None:
    return row.get("Owner", {}).get("S")


def _holder(row: Row) -> Holder:
    def number(name: str) -> float | None:
        return float(row[name]["N"]) if name in row else None

    return Holder(
        lock_id=row["Id"]["S"],
        event_id=row["EventId"]["S"],
        owner=_owner(row),
        version=int(row["Version"]["N"]) if "Version" in row else None,
        lease=number("Lease"),
        locked_at=number("LockedAt"),
    )


def _status(row: Row) -> str:
    return row.get("Status", {}).get("S", _DONE)


def _lapses_in(watch: LeaseWatch, row_id: str, row: Row) -> float | None:
    if "Owner" not in row or "Lease" not in row:
        watch.forget(row_id)
        return None
    lease = float(row["Lease"]["N"])
    return watch.lapses_in(row_id, row["Owner"]["S"], int(row["Version"]["N"]), lease)
