"""States of jobs in sqsjkr's DynamoDB table."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gevent

from ...aws import Batcher
from ...aws.table import Row, Table
from ...clock import Clock
from ...errors import DuplicatedMessage, JobInProgress, LeaseLost, StoreError
from ..lapse import LeaseWatch
from ..throttler import InProgress
from . import rows
from .gathered import GatheredClaims

#: The row of a job in progress is kept for at least this many leases; then TTL may remove it.
RUNNING_LEASES = 2


#: Marks that are written at a time where no statement does it.
PARALLEL_MARKS = 16


@dataclass(frozen=True, slots=True)
class _Mark:
    """expired: epoch seconds until which the job is remembered as done."""

    job_id: str
    owner: str
    expired: int


class DynamoDBThrottler:
    """States of jobs across hosts.

    lease: seconds that a job stays in progress without a renewal.
    retention: seconds that the row of a done job is kept, at least as long as its message may live.
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
        self._gathered = GatheredClaims(table, lease)
        #: Of jobs that no statement has marked. Each is a call of its own, and is repeated.
        self._marks: Batcher[_Mark] = Batcher(
            self._mark, max_entries=1, linger=0.0, parallel=PARALLEL_MARKS
        )

    def check(self) -> None:
        """Raises StartError if the table cannot be used."""
        self._table.check()

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Mark the job as in progress. Raises DuplicatedMessage or JobInProgress."""
        # A job that is watched has a row: to insert one would be in vain.
        is_new = not self._watch.has(job_id)
        if is_new and self._gathered.claim(job_id, owner, self._running_until()):
            return None
        row, ours = self._take(
            job_id,
            owner,
            "attribute_not_exists(Expired) OR"
            " (Expired < :now AND (attribute_not_exists(#Status) OR #Status = :done))",
            now=int(time.time()),
            done=rows.DONE,
        )
        if ours:
            return None
        if _status(row) != rows.RUNNING:
            self._watch.forget(job_id)
            raise DuplicatedMessage(f"job {job_id} is done")
        lapses_in = rows.lapses_in(self._watch, job_id, row)
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
            raise JobInProgress(
                f"job {job_id} was taken over by another", holder=rows.owner_of(row)
            )
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
            running=rows.RUNNING,
            one=1,
            **values,
        )
        return row, ours or (rows.is_of(row, owner) and _status(row) == rows.RUNNING)

    def renew(self, job_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        held = self._gathered.renew(job_id, owner, self._running_until()) or self._table.renew(
            job_id,
            "throttle",
            "SET #Version = #Version + :one, Expired = :expired",
            "#Owner = :owner AND #Status = :running",
            owner=owner,
            running=rows.RUNNING,
            one=1,
            expired=self._running_until(),
        )
        if not held:
            raise LeaseLost(f"job {job_id} is not run by {owner}")

    def done(self, job_id: str, owner: str) -> None:
        """Mark the job as done.

        Raises StoreError if that is not confirmed within a lease, or LeaseLost if another owner has
        the job.
        """
        asked_at = time.monotonic()
        expired = int(time.time() + self._retention)
        if self._gathered.done(job_id, owner, expired, self._seconds):
            return
        # A later write could keep a job from running whose message went back meanwhile.
        too_late = StoreError(f"job {job_id} could not be marked as done")
        left = asked_at + self._seconds - time.monotonic()
        if left <= 0:
            raise too_late
        marked = self._marks.submit(_Mark(job_id, owner, expired))
        try:
            marked.get(timeout=left)
        except gevent.Timeout:
            self._marks.cancel(marked, too_late)
            marked.get()

    def _mark(self, marks: Sequence["_Mark"]) -> Sequence[Exception | None]:
        """See Batcher. A mark that arrives late must not undo what another owner did."""
        [mark] = marks
        _, is_ours = self._table.update(
            mark.job_id,
            "throttle",
            "SET Expired = :expired, #Status = :done REMOVE #Version, #Lease",
            "#Owner = :owner",
            expired=mark.expired,
            done=rows.DONE,
            owner=mark.owner,
        )
        return [None if is_ours else LeaseLost(f"job {mark.job_id} is not run by {mark.owner}")]

    def release(self, job_id: str, owner: str) -> None:
        """Forget a job that did not run. Raises LeaseLost."""
        if not self._table.delete(job_id, "throttle", owner):
            raise LeaseLost(f"job {job_id} is not run by {owner}")

    def close(self, timeout: float) -> None:
        """Write the marks that wait, for at most `timeout` seconds."""
        until = time.monotonic() + timeout
        # What no statement has achieved in half of the time is a mark of its own for the rest.
        self._table.close(timeout / 2)
        self._marks.close(
            max(0.0, until - time.monotonic()),
            StoreError("the kicker stopped before the job's done mark"),
        )

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
        # Whatever the retention is, TTL must not remove the row between two renewals.
        return int(time.time() + max(self._retention, RUNNING_LEASES * self._seconds))


def _status(row: Row) -> str:
    return row.get("Status", {}).get("S", rows.DONE)
