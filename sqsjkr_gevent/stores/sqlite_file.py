"""A SQLite file that several processes write to, and that never blocks the hub."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gevent import monkey

from ..errors import HostExhausted, StartError, StoreError
from ..threads import Call, Threads

T = TypeVar("T")

# For the file's own thread, which has no hub.
_sleep = monkey.get_original("time", "sleep")

#: How a file of SQLite begins. https://www.sqlite.org/fileformat.html#magic_header_string
_MAGIC = b"SQLite format 3\0"

#: Characters of an error's reason.
_MAX_REASON = 200

#: A write waits this many seconds for another process's write.
BUSY_TIMEOUT = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS locks (
    lock_id TEXT PRIMARY KEY, event_id TEXT, owner TEXT, version INTEGER, lease REAL,
    token INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, owner TEXT NOT NULL, version INTEGER NOT NULL, lease REAL NOT NULL,
    done INTEGER NOT NULL, expired REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_expired ON jobs (expired);
"""

#: Columns that were added to a table later: a file without them gets them.
_ADDED = [("locks", "locked_at", "INTEGER"), ("locks", "free_in", "REAL")]


class _Made(Call):
    """A call that the thread makes, and its result."""

    __slots__ = ("_call", "result")

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call
        self.result: Any = None

    def make(self) -> None:
        self.result = self._call()


class SqliteFile:
    """The file. Its one connection lives in a thread, so a busy file never blocks the hub."""

    def __init__(self, path: str, schema: str = _SCHEMA) -> None:
        self._path = path
        self._schema = schema
        self._thread = Threads(1)
        self._connection: sqlite3.Connection | None = None

    def check(self) -> None:
        """Raises StartError if the file cannot be opened or is not a database of ours."""
        try:
            self.write(lambda connection: None)
        except StoreError as error:
            raise StartError(f"{error}; set the table to the path of a file to use") from error

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run `change` in a transaction of its own. Raises StoreError."""

        def transaction() -> T:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = change(connection)
            except BaseException:
                if connection.in_transaction:  # A full disk has rolled it back already.
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

        return self._apply(transaction)

    def read(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a SELECT. Raises StoreError."""
        return self._apply(lambda: self._open().execute(statement, values).fetchall())

    def close(self) -> None:
        """Close it; a later call opens it again."""
        self._apply(self._close)
        self._thread.close()

    def _apply(self, call: Callable[[], T]) -> T:
        """Make the call in the thread. An exception that interrupts the wait is raised after it."""
        made = _Made(call)
        try:
            self._thread.submit(made)
        except HostExhausted as error:
            raise StoreError(f"sqlite file {self._path!r}: {error}") from error
        interrupted = made.wait()
        if interrupted is not None:
            raise interrupted
        if isinstance(made.raised, sqlite3.Error):
            # SQLite may put the text of a damaged row into it.
            reason = " ".join(str(made.raised).split())[:_MAX_REASON]
            raise StoreError(f"sqlite file {self._path!r}: {reason}") from made.raised
        if made.raised is not None:
            raise made.raised
        result: T = made.result
        return result

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            _require_database(self._path)
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            try:
                _switch_to_wal(connection)
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(self._schema)
                _add_columns(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _require_database(path: str) -> None:
    """Raises sqlite3.DatabaseError for another kind of file. SQLite overwrites one of one byte."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError:
        return  # There is none yet; or SQLite says what is wrong with it.
    if start not in (b"", _MAGIC):
        raise sqlite3.DatabaseError("file is not a database")


def _add_columns(connection: sqlite3.Connection) -> None:
    for table, column, kind in _ADDED:
        if _lacks(connection, table, column):
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have added it meanwhile.
            if _lacks(connection, table, column):
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            connection.execute("COMMIT")


def _lacks(connection: sqlite3.Connection, table: str, column: str) -> bool:
    names = connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    return bool(names) and (column,) not in names


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Wait for others that do the same: SQLite's own busy timeout does not cover this."""
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            _sleep(0.01)
