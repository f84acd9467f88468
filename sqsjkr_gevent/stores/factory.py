"""From the config to the lock and throttle stores: ours by name, a user's by module:Class."""

import importlib
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from ..aws import Client, Observer, Session
from ..aws.table import Table
from ..config import Config
from ..errors import ConfigError
from .dynamodb import DynamoDBLocker, DynamoDBThrottler
from .locker import LeasedLocker, Locker, NoLocker
from .memory import MemoryLocker, MemoryTable, MemoryThrottler
from .sqlite import SqliteLocker, SqliteThrottler
from .sqlite_file import SqliteFile
from .throttler import LeasedThrottler, NoThrottler, Throttler

#: Least and most calls to DynamoDB at a time, between them one for each slot: jobs wait for them.
MIN_CONNECTIONS = 16
MAX_CONNECTIONS = 100

#: How often botocore tries each call.
ATTEMPTS = 3


@runtime_checkable
class Checked(Protocol):
    """A store that can be asked whether it works."""

    def check(self) -> None:
        """Raises StartError where it cannot be used, StoreError where it fails for now."""


def checks(*stores: object) -> list[Callable[[], None]]:
    """The check of each store that has one."""
    return [store.check for store in stores if isinstance(store, Checked)]


@runtime_checkable
class Closable(Protocol):
    """A store that has writes under way."""

    def close(self, timeout: float) -> None:
        """Finish them, in at most `timeout` seconds."""


class Stores:
    """Makes stores; one client, or one file, serves both. observe: told of DynamoDB's calls."""

    def __init__(self, config: Config, session: Session, observe: Observer) -> None:
        self._config = config
        self._session = session
        self._observe = observe
        self._client: Client | None = None
        self._files: dict[str, SqliteFile] = {}

    def locker(self) -> Locker | LeasedLocker:
        """What `[locker]` names. Raises ConfigError where it cannot be made."""
        section = self._config.locker
        match section.backend:
            case "none":
                return NoLocker()
            case "memory":
                return MemoryLocker(MemoryTable.named(section.table))
            case "sqlite":
                return SqliteLocker(self._file(section.table), lease=section.lease)
            case "dynamodb":
                return DynamoDBLocker(self._table(section.table), lease=section.lease)
            case path:
                custom: Locker = _load(path, "locker.backend", ("lock", "unlock"))
                return custom

    def throttler(self, retention: float) -> Throttler | LeasedThrottler:
        """What `[throttler]` names. retention: seconds, where the section has none.

        Raises ConfigError where it cannot be made.
        """
        section = self._config.throttler
        retention = section.retention or retention
        lease = self._config.sqs.visibility_timeout
        match section.backend:
            case "none":
                return NoThrottler()
            case "memory":
                return MemoryThrottler(MemoryTable.named(section.table), retention=retention)
            case "sqlite":
                return SqliteThrottler(self._file(section.table), lease=lease, retention=retention)
            case "dynamodb":
                return DynamoDBThrottler(
                    self._table(section.table),
                    lease=lease,
                    retention=retention,
                )
            case path:
                custom: Throttler = _load(path, "throttler.backend", ("set", "unset"))
                return custom

    def _file(self, path: str) -> SqliteFile:
        if path not in self._files:
            self._files[path] = SqliteFile(path)
        return self._files[path]

    def _table(self, name: str) -> Table:
        if self._client is None:
            self._client = Client(
                self._session,
                "dynamodb",
                self._config.account,
                connections=max(
                    MIN_CONNECTIONS,
                    min(MAX_CONNECTIONS, self._config.kicker.max_concurrent_num),
                ),
                observe=self._observe,
                attempts=ATTEMPTS,
            )
        return Table(self._client, name)


def _load(path: str, key: str, methods: tuple[str, ...]) -> Any:
    """An instance of `package.module:Class`, called without arguments."""
    module, _, name = path.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise ConfigError(f"{key} = {path!r}: cannot be made: {error!r}") from error
    missing = [method for method in methods if not callable(getattr(made, method, None))]
    if missing:
        raise ConfigError(f"{key} = {path!r}: it has no method {', '.join(missing)}")
    return made
