"""Locks and states of jobs in a file, shared by the processes of one host."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..errors import AlreadyLocked, DuplicatedMessage, JobInProgress, LeaseLost, StartError
from .backend import Opening
from .lapse import LeaseWatch
from .locker import Holder
from .sqlite_file import SqliteFile

#: Expired jobs are removed once in this many claims.
_SWEEP_EVERY = 1000

_FREED = "owner = NULL, event_id = NULL, locked_at = NULL, free_in = NULL"

_HELD = (
    "SELECT lock_id, event_id, owner, version, lease, locked_at FROM locks WHERE owner IS NOT NULL"
)


#: The clock is in the token again: a power loss can lose the last transactions, and the file then
#: has a token older than those that were given out.
_TAKE = """
INSERT INTO locks (lock_id, event_id, owner, version, lease, token, locked_at, free_in)
VALUES (?, ?, ?, 1, ?, ?, ?, ?)
ON CONFLICT (lock_id) DO UPDATE SET
    event_id = excluded.event_id, owner = excluded.owner, version = 1, lease = excluded.lease,
    locked_at = excluded.locked_at, free_in = excluded.free_in,
    token = max(token + 1, excluded.token)
RETURNING token
"""


class SqliteLocker:
    """Locks between the processes of one host. lease: seconds, as in `[locker] lease`."""

    lease: float | None

    def __init__(self, file: SqliteFile, *, lease: float, clock: Clock = time.monotonic) -> None:
        self.lease = lease
        self._seconds = lease
        self._file = file
        self._watch = LeaseWatch(clock)

    def check(self) -> None:
        """Raises StartError if the file cannot be used."""
        self._file.check()

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        """See LeasedLocker."""

        def take(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "SELECT owner, version, lease, free_in FROM locks WHERE lock_id = ?", (lock_id,)
            ).fetchone()
            if row is not None and row[0] not in (None, owner):
                holder, version, lease, expected = row
                lapses_in = self._watch.lapses_in(lock_id, holder, version, lease)
                if lapses_in > 0 and holder != heir_of:
                    raise AlreadyLocked(
                        f"lock {lock_id!r} is held by {holder}",
                        lapses_in=lapses_in,
                        holder=holder,
                        free_in=expected,
                    )
            now = time.time()
            (token,) = connection.execute(
                _TAKE,
                (lock_id, event_id, owner, self._seconds, int(now * 1000), int(now), free_in),
            ).fetchone()
            self._watch.forget(lock_id)
            return int(token)

        return self._file.write(take)

    def renew(self, lock_id: str, owner: str) -> None:
        """See LeasedLocker."""
        self._change("version = version + 1", lock_id, owner)

    def release(self, lock_id: str, owner: str) -> None:
        """See LeasedLocker; the row keeps its token."""
        self._change(_FREED, lock_id, owner)

    def holders(self) -> Iterator[Holder]:
        """See ListedLocker."""
        return map(_holder, self._file.read(_HELD))

    def holder(self, lock_id: str) -> Holder | None:
        """See ListedLocker."""
        rows = self._file.read(f"{_HELD} AND lock_id = ?", (lock_id,))
        return _holder(rows[0]) if rows else None

    def evict(self, holder: Holder, *, force: bool = False) -> bool:
        """See ListedLocker."""

        def free(connection: sqlite3.Connection) -> bool:
            connection.execute(
                f"UPDATE locks SET {_FREED}"  # noqa: S608
                " WHERE lock_id = ? AND owner = ? AND (version = ? OR ?)",
                (holder.lock_id, holder.owner, holder.version, force),
            )
            held = f"{_HELD} AND lock_id = ?"
            return connection.execute(held, (holder.lock_id,)).fetchone() is None

        return self._file.write(free)

    def _change(self, change: str, lock_id: str, owner: str) -> None:
        def update(connection: sqlite3.Connection) -> int:
            return connection.execute(
                f"UPDATE locks SET {change} WHERE lock_id = ? AND owner = ?",  # noqa: S608
                (lock_id, owner),
            ).rowcount

        if not self._file.write(update):
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")


def _holder(row: tuple[Any, ...]) -> Holder:
    lock_id, event_id, owner, version, lease, locked_at = row
    return Holder(
        lock_id=lock_id,
        event_id=event_id,
        owner=owner,
        version=version,
        lease=lease,
        locked_at=locked_at,
    )


class SqliteThrottler:
    """States of jobs between the processes of one host.

    lease: seconds that a job stays in progress without a renewal. retention: seconds that the row
    of a done job is kept, at least as long as its message may live.
    """

    lease: float | None

    def __init__(
        self, file: SqliteFile, *, lease: float, retention: float, clock: Clock = time.monotonic
    ) -> None:
        self.lease = lease
        self._seconds = lease
        self._retention = retention
        self._file = file
        self._watch = LeaseWatch(clock)
        self._claims = 0

    def check(self) -> None:
        """Raises StartError if the file cannot be used."""
        self._file.check()

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Mark the job as in progress. Raises DuplicatedMessage or JobInProgress."""
        self._claims += 1
        sweep = self._claims % _SWEEP_EVERY == 1

        def take(connection: sqlite3.Connection) -> str | None:
            if sweep:
                connection.execute(
                    "DELETE FROM jobs WHERE expired < ? AND done = 1", (time.time(),)
                )
            row = connection.execute(
                "SELECT owner, version, lease, done, expired FROM jobs WHERE job_id = ?", (job_id,)
            ).fetchone()
            holder = None
            if row is not None and row[3]:
                if row[4] > time.time():
                    raise DuplicatedMessage(f"job {job_id} is done")
            elif row is not None and row[0] != owner:
                holder, version, lease = row[:3]
                lapses_in = self._watch.lapses_in(job_id, holder, version, lease)
                if lapses_in > 0:
                    raise JobInProgress(
                        f"job {job_id} is run by {holder}", lapses_in=lapses_in, holder=holder
                    )
            connection.execute(
                "INSERT OR REPLACE INTO jobs VALUES (?, ?, 1, ?, 0, ?)",
                (job_id, owner, self._seconds, time.time() + self._retention),
            )
            self._watch.forget(job_id)
            return holder

        return self._file.write(take)

    def renew(self, job_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        self._change(
            "UPDATE jobs SET version = version + 1 WHERE job_id = ? AND owner = ? AND done = 0",
            job_id,
            owner,
        )

    def done(self, job_id: str, owner: str) -> None:
        """Mark the job as done. Raises LeaseLost."""
        self._change(
            "UPDATE jobs SET done = 1, expired = ? WHERE job_id = ? AND owner = ?",
            time.time() + self._retention,
            job_id,
            owner,
        )

    def release(self, job_id: str, owner: str) -> None:
        """Forget a job that did not run. Raises LeaseLost."""
        self._change("DELETE FROM jobs WHERE job_id = ? AND owner = ?", job_id, owner)

    def _change(self, statement: str, *values: object) -> None:
        """values: of the statement; the last two are the job's id and its owner."""
        if not self._file.write(lambda c: c.execute(statement, values).rowcount):
            raise LeaseLost("job {} is not run by {}".format(*values[-2:]))


class Backend:
    """See backend.Backend. `table` is the path of a file; one file may serve both stores."""

    def __init__(self, opening: Opening) -> None:
        self._config = opening.config
        self._files: dict[str, SqliteFile] = {}

    def locker(self) -> SqliteLocker:
        """See backend.Backend."""
        section = self._config.locker
        return SqliteLocker(self._file(section.table), lease=section.lease)

    def throttler(self, retention: float) -> SqliteThrottler:
        """See backend.Backend."""
        file = self._file(self._config.throttler.table)
        lease = self._config.sqs.visibility_timeout
        return SqliteThrottler(file, lease=lease, retention=retention)

    def check_visible(self) -> None:
        """See backend.Backend."""
        path = Path(self._config.locker.table)
        if not path.exists():
            raise StartError(f"{path.absolute()} does not exist: no kicker has used it")

    def check(self) -> str:
        """See backend.Backend."""
        return "backend 'sqlite' needs no server"

    def _file(self, path: str) -> SqliteFile:
        if path not in self._files:
            self._files[path] = SqliteFile(path)
        return self._files[path]
