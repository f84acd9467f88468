"""Locks and states of jobs in one process; they end with it."""

import time
from typing import ClassVar

from ..errors import AlreadyLocked, ConfigError, DuplicatedMessage, JobInProgress, LeaseLost
from .backend import Opening


class MemoryTable:
    """What the lockers and throttlers of one process share under one name.

    locks: lock_id -> owner. free_in: lock_id -> what the owner said with it. running: job_id ->
    owner. done: job_id -> owner, and when it may be forgotten, in seconds of the monotonic clock;
    oldest first.
    """

    _named: ClassVar[dict[str, "MemoryTable"]] = {}

    def __init__(self) -> None:
        self.locks: dict[str, str] = {}
        self.free_in: dict[str, float | None] = {}
        self.running: dict[str, str] = {}
        self.done: dict[str, tuple[str, float]] = {}
        self._token = 0

    def next_token(self) -> int:
        """A fencing token, from the clock, so that tokens keep growing after a restart."""
        self._token = max(self._token + 1, time.time_ns() // 1_000_000)
        return self._token

    @classmethod
    def named(cls, name: str) -> "MemoryTable":
        """The table of that name, the same for all of the process."""
        return cls._named.setdefault(name, cls())


class MemoryLocker:
    """Locks between the kickers of one process. They need no lease: no holder outlives them."""

    lease: float | None = None

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        """Take the lock. Raises AlreadyLocked."""
        holder = self._table.locks.setdefault(lock_id, owner)
        if holder != owner:
            raise AlreadyLocked(
                f"lock {lock_id!r} is held by {holder}",
                holder=holder,
                free_in=self._table.free_in[lock_id],
            )
        self._table.free_in[lock_id] = free_in
        return self._table.next_token()

    def renew(self, lock_id: str, owner: str) -> None:
        """Check the owner. Raises LeaseLost."""
        if self._table.locks.get(lock_id) != owner:
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")

    def release(self, lock_id: str, owner: str) -> None:
        """Give the lock back. Raises LeaseLost."""
        self.renew(lock_id, owner)
        del self._table.locks[lock_id], self._table.free_in[lock_id]


class MemoryThrottler:
    """Job states between the kickers of one process.

    retention: seconds a done job is remembered.
    """

    lease: float | None = None

    def __init__(self, table: MemoryTable, *, retention: float) -> None:
        self._table = table
        self._retention = retention

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Mark the job as in progress. Raises DuplicatedMessage or JobInProgress."""
        self._forget()
        if job_id in self._table.done:
            raise DuplicatedMessage(f"job {job_id} is done")
        holder = self._table.running.setdefault(job_id, owner)
        if holder != owner:
            raise JobInProgress(f"job {job_id} is run by {holder}", holder=holder)
        return None

    def renew(self, job_id: str, owner: str) -> None:
        """Check the owner. Raises LeaseLost."""
        if self._table.running.get(job_id) != owner:
            raise LeaseLost(f"job {job_id} is not run by {owner}")

    def done(self, job_id: str, owner: str) -> None:
        """Mark the job as done."""
        self._table.running.pop(job_id, None)
        self._table.done[job_id] = (owner, time.monotonic() + self._retention)

    def release(self, job_id: str, owner: str) -> None:
        """Forget a job that did not run. Raises LeaseLost."""
        if self._table.done.get(job_id, ("", 0.0))[0] == owner:
            del self._table.done[job_id]
            return
        self.renew(job_id, owner)
        del self._table.running[job_id]

    def _forget(self) -> None:
        now = time.monotonic()
        while self._table.done:
            oldest = next(iter(self._table.done))
            if self._table.done[oldest][1] > now:
                break
            del self._table.done[oldest]


class Backend:
    """See backend.Backend. All stores of one name in a process are one."""

    def __init__(self, opening: Opening) -> None:
        self._config = opening.config

    def locker(self) -> MemoryLocker:
        """See backend.Backend."""
        return MemoryLocker(MemoryTable.named(self._config.locker.table))

    def throttler(self, retention: float) -> MemoryThrottler:
        """See backend.Backend."""
        table = MemoryTable.named(self._config.throttler.table)
        return MemoryThrottler(table, retention=retention)

    def check_visible(self) -> None:
        """See backend.Backend."""
        raise ConfigError(
            "the backend of [locker] is memory: the locks are in the kicker's process; use "
            "`sqsjkr-gevent status`"
        )

    def check(self) -> str:
        """See backend.Backend."""
        return "backend 'memory' needs no store"
