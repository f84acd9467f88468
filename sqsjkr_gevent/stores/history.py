"""Records of how jobs ended, in a SQLite file that the kickers of a host may share.

They are written in batches by a thread: no job runs later because of the disk.
"""

import math
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args, get_type_hints

import gevent
from gevent.event import Event

from ..backoff import Backoff
from ..clock import Clock
from ..errors import StartError, StoreError
from ..log import get_logger
from ..telemetry import Bucket, Query, Record, Tally
from ..telemetry.history import SERIES_OVER, Written, bucket
from .sqlite_file import SqliteFile

log = get_logger(__name__)

#: A record waits this many seconds to be written with others.
LINGER = 0.05

#: How many records may wait to be written. While the disk is full the oldest are dropped.
MAX_PENDING = 10_000

#: Seconds between two removals of old records, and how many one transaction removes.
PRUNE_EVERY = 60.0
MAX_PRUNE = 1000

_COLUMNS = [name for name in Record._fields if name != "seq"]

_NUMBER = (float, int)
#: The types that each field of a record may have.
_TYPES = [
    _NUMBER if hint is float else get_args(hint) or (hint,)
    for hint in get_type_hints(Record).values()
]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ends (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, event_id TEXT NOT NULL,
    lock_id TEXT, command TEXT NOT NULL, outcome TEXT NOT NULL, cause TEXT NOT NULL,
    reason TEXT NOT NULL, exit_status INTEGER, sent_at REAL NOT NULL, ended_at REAL NOT NULL,
    waited REAL NOT NULL, ran REAL, attempt INTEGER NOT NULL, host TEXT NOT NULL,
    pid INTEGER NOT NULL, output TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ends_job ON ends (job_id);
CREATE INDEX IF NOT EXISTS ends_event ON ends (event_id);
CREATE INDEX IF NOT EXISTS ends_time ON ends (ended_at);
CREATE INDEX IF NOT EXISTS ends_outcome ON ends (outcome);
CREATE TABLE IF NOT EXISTS totals (
    run TEXT, outcome TEXT, ends INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (run, outcome)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS series (
    run TEXT, at INTEGER, outcome TEXT, ends INTEGER NOT NULL, waited REAL NOT NULL,
    PRIMARY KEY (run, at, outcome)
) WITHOUT ROWID;
"""


class SqliteHistory:
    """See History. One transaction writes totals and records, so they agree after any kill.

    run: the name of the kicker or the fleet whose totals and series these are.
    keep: seconds. max_records: None for as many as there are within `keep`.
    """

    def __init__(
        self,
        path: str,
        *,
        run: str,
        keep: float,
        max_records: int | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._run = run
        self._keep = keep
        self._max_records = max_records
        self._clock = clock
        self._path = Path(path)
        # A connection each: a long search must delay neither writes nor counters.
        self._writes = SqliteFile(path, _SCHEMA)
        self._searches = SqliteFile(path, _SCHEMA)
        self._counters = SqliteFile(path, _SCHEMA)
        self._pending: deque[Record] = deque()
        # Set once the records that are pending now are written.
        self._written = Event()
        self._lost: Counter[str] = Counter()
        self._filled = Event()
        self._closing = Event()
        self._writer: gevent.Greenlet[[], None] | None = None
        self._backoff = Backoff(1.0, 30.0)
        self._pruned_at = 0.0

    def check(self) -> None:
        """Raises StartError if the file cannot be written."""
        try:
            # Commands and outputs are private. SQLite gives its other files the same mode.
            self._path.touch(mode=0o600)
        except OSError as error:
            reason = error.strerror or error
            raise StartError(f"history.path: {self._path} cannot be written: {reason}") from error
        try:
            self._writes.write(lambda connection: None)
        except StoreError as error:
            raise StartError(f"history: {error}; set history.path to a file to use") from error

    def add(self, record: Record) -> Written | None:
        """See History."""
        self._pending.append(record)
        self._bound()
        self._filled.set()
        if self._writer is None:
            self._writer = gevent.spawn(self._loop)
        return self._written

    def find(self, query: Query) -> list[Record]:
        """See History."""
        where, values = _condition(query)
        statement = (
            f"SELECT {', '.join(_COLUMNS)}, seq FROM ends WHERE {where}"  # noqa: S608
            " ORDER BY seq DESC LIMIT ?"
        )
        rows = self._searches.read(statement, (*values, query.limit))
        self._require(all(map(_is_end, rows)), "ends")
        return [Record._make(row) for row in rows]

    def totals(self) -> Mapping[str, int]:
        """See History. Raises StoreError."""
        rows = self._counters.read("SELECT outcome, ends FROM totals WHERE run = ?", (self._run,))
        self._require(all(type(ends) is int for _, ends in rows), "totals")
        return dict(rows)

    def series(self, since: float) -> Mapping[Bucket, Tally]:
        """See History. Raises StoreError."""
        rows = self._counters.read(
            "SELECT at, outcome, ends, waited FROM series WHERE run = ? AND at >= ?",
            (self._run, since),
        )
        self._require(all(map(_is_bucket, rows)), "series")
        return {(at, outcome): Tally(ends, waited) for at, outcome, ends, waited in rows}

    def close(self) -> None:
        """See History."""
        self._closing.set()
        self._filled.set()
        if self._writer is not None:
            self._writer.join()
        for file in (self._writes, self._searches, self._counters):
            file.close()

    def _require(self, fine: bool, table: str) -> None:
        """Raises StoreError if not. A column of SQLite holds values of any type."""
        if not fine:
            raise StoreError(
                f"sqlite file {str(self._path)!r}: the table {table} is damaged, or not of"
                f" sqsjkr-gevent"
            )

    def _loop(self) -> None:
        while self._pending or not self._closing.is_set():
            self._filled.wait()
            self._closing.wait(LINGER)
            self._filled.clear()
            records, written = list(self._pending), self._written
            if not records:
                continue
            self._pending.clear()
            self._written = Event()
            try:
                self._write(records)
                written.set()
            except StoreError as error:
                self._retry(records, written, error)
            except Exception:
                log.exception("records of jobs not written", count=len(records))
                written.set()

    def _retry(self, records: list[Record], written: Event, error: StoreError) -> None:
        if self._closing.is_set():
            self._pending.clear()
            log.error("records of jobs not written", count=len(records), reason=str(error))
            return
        self._pending.extendleft(reversed(records))
        self._bound()
        # Whoever waits for these waits for the next ones as well.
        self._written.rawlink(partial(_set, written))
        wait = self._backoff.failed()
        log.error(
            "records of jobs not written yet, repeated", reason=str(error), wait=round(wait, 2)
        )
        self._closing.wait(wait)
        self._filled.set()

    def _bound(self) -> None:
        while len(self._pending) > MAX_PENDING:
            self._lost[self._pending.popleft().outcome] += 1

    def _write(self, records: Sequence[Record]) -> None:
        rows = [record[:-1] for record in records]
        totals = Counter(record.outcome for record in records)
        lost, self._lost = self._lost, Counter()
        totals.update(lost)
        series: dict[Bucket, Tally] = {}
        for record in records:
            series.setdefault(bucket(record), Tally()).add(record.waited)
        now = self._clock()
        prunes = now - self._pruned_at >= PRUNE_EVERY

        def write(connection: sqlite3.Connection) -> bool:
            _insert(connection, rows)
            self._count(connection, totals, series, now)
            return prunes and self._prune(connection, now)

        try:
            more = self._writes.write(write)
        except StoreError:
            self._lost.update(lost)
            raise
        self._backoff.succeeded()
        if lost:
            log.error("records of jobs dropped: too many waited", count=sum(lost.values()))
        if prunes and not more:
            self._pruned_at = now

    def _count(
        self,
        connection: sqlite3.Connection,
        totals: Mapping[str, int],
        series: Mapping[Bucket, Tally],
        now: float,
    ) -> None:
        connection.executemany(
            "INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT (run, outcome) DO UPDATE SET"
            " ends = ends + excluded.ends, at = excluded.at",
            [(self._run, outcome, ends, now) for outcome, ends in totals.items()],
        )
        connection.executemany(
            "INSERT INTO series VALUES (?, ?, ?, ?, ?) ON CONFLICT (run, at, outcome) DO UPDATE"
            " SET ends = ends + excluded.ends, waited = waited + excluded.waited",
            [(self._run, *key, tally.ends, tally.waited) for key, tally in series.items()],
        )

    def _prune(self, connection: sqlite3.Connection, now: float) -> bool:
        """Remove some old records; returns whether there are more."""
        oldest = now - self._keep
        connection.execute("DELETE FROM series WHERE at < ?", (now - SERIES_OVER,))
        connection.execute("DELETE FROM totals WHERE at < ? AND run != ?", (oldest, self._run))
        removed = connection.execute(
            "DELETE FROM ends WHERE seq IN"
            " (SELECT seq FROM ends WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
            (oldest, MAX_PRUNE),
        ).rowcount
        if self._max_records is not None:
            removed = connection.execute(
                "DELETE FROM ends WHERE seq IN (SELECT seq FROM ends"
                " WHERE seq <= (SELECT MAX(seq) FROM ends) - ? ORDER BY seq LIMIT ?)",
                (self._max_records, MAX_PRUNE),
            ).rowcount
        return removed == MAX_PRUNE


def _is_end(row: tuple[object, ...]) -> bool:
    return all(map(_is_one_of, row, _TYPES))


def _is_bucket(row: tuple[object, ...]) -> bool:
    at, outcome, ends, waited = row
    return (
        type(at) is int
        and type(outcome) is str
        and type(ends) is int
        and ends > 0
        and _is_one_of(waited, _NUMBER)
    )


def _is_one_of(value: object, types: Collection[type]) -> bool:
    return type(value) in types and (not isinstance(value, float) or math.isfinite(value))


def _set(event: Event, _: object) -> None:
    event.set()


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    marks = ", ".join("?" * len(_COLUMNS))
    connection.executemany(
        f"INSERT INTO ends ({', '.join(_COLUMNS)}) VALUES ({marks})",  # noqa: S608
        rows,
    )


def _condition(query: Query) -> tuple[str, list[object]]:
    asked = [
        ("job_id = ?", query.job_id),
        ("event_id = ?", query.event_id),
        ("outcome = ?", query.outcome),
        ("ended_at >= ?", query.since),
        ("ended_at <= ?", query.until),
        ("seq < ?", query.before),
    ]
    given = [(condition, value) for condition, value in asked if value is not None]
    return " AND ".join(["1", *(condition for condition, _ in given)]), [v for _, v in given]
