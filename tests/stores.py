"""What the tests of all stores need: a clock that a test sets, and every backend."""

from collections.abc import Callable
from typing import Protocol

import pytest

from redis_server import connect, fresh_prefix
from servers import Aws
from sqsjkr_gevent.aws import Client, make_session
from sqsjkr_gevent.aws.statements import Statements
from sqsjkr_gevent.aws.table import Table
from sqsjkr_gevent.config import AccountSection
from sqsjkr_gevent.stores import LeasedLocker, LeasedThrottler
from sqsjkr_gevent.stores.dynamodb import DynamoDBLocker, DynamoDBThrottler
from sqsjkr_gevent.stores.memory import MemoryLocker, MemoryTable, MemoryThrottler
from sqsjkr_gevent.stores.redis import RedisLocker, RedisThrottler
from sqsjkr_gevent.stores.sqlite import SqliteLocker, SqliteThrottler
from sqsjkr_gevent.stores.sqlite_file import SqliteFile

#: Seconds.
LEASE = 60.0
RETENTION = 3600.0


class Clock:
    """A monotonic clock that moves only when a test sets `now`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The current time."""
        return self.now


def dynamodb_client(request: pytest.FixtureRequest) -> Client:
    """The package's own client, connected to the test's server."""
    aws: Aws = request.getfixturevalue("aws")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_key)
    account = AccountSection(id=aws.account_id, region=aws.region, endpoint_url=aws.endpoint_url)
    return Client(
        make_session(account),
        "dynamodb",
        account,
        connections=32,
        observe=lambda operation, error: None,
    )


def table_with_statements(client: Client, name: str) -> Table:
    """A table whose statements were tried out, as after the start of a kicker."""
    statements = Statements(client)
    statements.try_out(name)
    return Table(client, name, statements)


class Store(Protocol):
    """One store of a backend. Each call creates another locker or throttler for it."""

    def locker(self, clock: Clock) -> LeasedLocker:
        """A locker as on another host, with this clock."""

    def throttler(self, clock: Clock, retention: float = RETENTION) -> LeasedThrottler:
        """A throttler as on another host, with this clock."""


class memory:  # noqa: N801  (test ids contain the backend's name)
    """Two kickers in one process share its memory; locks and claims have no lease."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._table = MemoryTable()

    def locker(self, clock: Clock) -> LeasedLocker:
        """See Store."""
        return MemoryLocker(self._table)

    def throttler(self, clock: Clock, retention: float = RETENTION) -> LeasedThrottler:
        """See Store."""
        return MemoryThrottler(self._table, retention=retention)


class sqlite:  # noqa: N801
    """Two processes on one host share a file, each with its own connection."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._path = str(request.getfixturevalue("tmp_path") / "store.db")

    def locker(self, clock: Clock) -> LeasedLocker:
        """See Store."""
        return SqliteLocker(SqliteFile(self._path), lease=LEASE, clock=clock)

    def throttler(self, clock: Clock, retention: float = RETENTION) -> LeasedThrottler:
        """See Store."""
        file = SqliteFile(self._path)
        return SqliteThrottler(file, lease=LEASE, retention=retention, clock=clock)


class dynamodb:  # noqa: N801
    """Two hosts share a table, each with statements of its own."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._name = request.getfixturevalue("table").name
        self._client = dynamodb_client(request)

    def table(self) -> Table:
        """The table as one host sees it."""
        return table_with_statements(self._client, self._name)

    def locker(self, clock: Clock) -> LeasedLocker:
        """See Store."""
        return DynamoDBLocker(self.table(), lease=LEASE, clock=clock)

    def throttler(self, clock: Clock, retention: float = RETENTION) -> LeasedThrottler:
        """See Store."""
        return DynamoDBThrottler(self.table(), lease=LEASE, retention=retention, clock=clock)


class dynamodb_singly(dynamodb):  # noqa: N801
    """The same where statements do not work, as without a permission for them."""

    def table(self) -> Table:
        """See dynamodb."""
        return Table(self._client, self._name)


class redis:  # noqa: N801
    """Two hosts share a server, each with its own connections."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._url = request.getfixturevalue("redis_server").url
        self._prefix = fresh_prefix()

    def locker(self, clock: Clock) -> LeasedLocker:
        """See Store."""
        return RedisLocker(connect(self._url), self._prefix, lease=LEASE, clock=clock)

    def throttler(self, clock: Clock, retention: float = RETENTION) -> LeasedThrottler:
        """See Store."""
        return RedisThrottler(
            connect(self._url), self._prefix, lease=LEASE, retention=retention, clock=clock
        )


#: The backends whose locks and claims lapse, and all backends. Add a new backend here.
LEASED: list[Callable[[pytest.FixtureRequest], Store]] = [
    sqlite,
    dynamodb,
    dynamodb_singly,
    redis,
]
BACKENDS: list[Callable[[pytest.FixtureRequest], Store]] = [memory, *LEASED]


def over(*backends: Callable[[pytest.FixtureRequest], Store]) -> pytest.MarkDecorator:
    """Run a test that uses the fixture `hosts` on these backends only."""
    return pytest.mark.parametrize(
        "hosts", backends, indirect=True, ids=lambda backend: backend.__name__
    )
