"""Runs scripts on a Redis server: its connections, retries and errors."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import redis
from gevent.lock import BoundedSemaphore
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import ConfigError, StartError, StoreError
from . import scripts

if TYPE_CHECKING:
    from ...aws import Observer

#: Seconds to connect, to wait for an answer, and to wait for a free connection.
TIMEOUT = 5.0

#: A call that fails within this many seconds is tried once more. That covers a connection that was
#: cut while it was idle, and limits a call to about 10 seconds.
RETRY_WITHIN = 6.0

#: Renewals at a time. They do not wait for other calls.
URGENT_CONNECTIONS = 32

#: Keys that one SCAN examines.
PAGE = 500

#: What redis-py raises if no answer came.
_UNHEARD = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)

#: Parts of the texts of errors that only another config can cure.
_FOR_GOOD = (
    "ACL failure in script",  # Redis 7.2 and newer
    "user executing the script can't",  # before
    "DB index is out of range",
)

T = TypeVar("T")


class Server:
    """A Redis server. All methods raise StoreError.

    url: of `[redis]`. connections: the maximum of calls at a time, not counting
    URGENT_CONNECTIONS renewals. observe: called with the operation and the error of each call.
    Raises ConfigError for a URL with an option that redis-py does not know.
    """

    def __init__(self, url: str, *, connections: int, observe: "Observer") -> None:
        self._observe = observe
        self._places = BoundedSemaphore(connections)
        self._urgent_places = BoundedSemaphore(URGENT_CONNECTIONS)
        # In a URL, options of redis-py win over these.
        options: dict[str, Any] = {} if url.startswith("unix:") else {"socket_keepalive": True}
        try:
            self._pool = redis.ConnectionPool.from_url(
                url,
                max_connections=connections + URGENT_CONNECTIONS,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),  # This class does it, once for all steps of a call.
                decode_responses=True,
                protocol=2,
                **options,
            )
            # It connects to nothing: it only refuses unknown options.
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
        except (TypeError, ValueError, exceptions.RedisError):
            # Without the error's text, which may have a part of a password in it.
            raise ConfigError("redis.url: redis-py refuses an option after the ?") from None
        path = getattr(connection, "path", None)
        #: The path, or host:port, for messages.
        self.address = path or f"{connection.host}:{connection.port}"
        self._redis = redis.Redis(connection_pool=self._pool)
        self._scripts: dict[str, Any] = {}

    def run(
        self, operation: str, script: str, key: str, *arguments: str | float, urgent: bool = False
    ) -> list[Any]:
        """Run a script of `scripts` over a key; answers its answer.

        urgent: whether it goes ahead of waiting calls, as a renewal does.
        """
        run = self._scripts.get(script)
        if run is None:
            run = self._scripts[script] = self._redis.register_script(script)

        def call(again: str) -> list[Any]:
            answer: list[Any] = run(keys=[key], args=[again, *arguments])
            return answer

        return self._call(operation, call, urgent=urgent)

    def read(self, key: str) -> dict[str, str]:
        """The hash of a key; empty if there is none."""
        found: Any = self._call("read", lambda _: self._redis.hgetall(key))
        return dict(found)

    def scan(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        """All hashes whose key begins so, each with the rest of its key; in no order.

        Also raises StartError if that is denied.
        """
        pattern = "".join(f"\\{one}" if one in "*?[]\\" else one for one in prefix) + "*"
        seen: set[str] = set()
        cursor = 0
        while True:
            cursor, page = self._start("scan", partial(self._page, pattern, cursor))
            for key, found in page.items():
                if key not in seen:  # A scan may come to a key twice.
                    seen.add(key)
                    yield key[len(prefix) :], found
            if not cursor:
                return

    def _page(self, pattern: str, cursor: int, _again: str) -> tuple[int, dict[str, Any]]:
        scanned: Any = self._redis.scan(cursor, match=pattern, count=PAGE)
        cursor, keys = scanned
        reads = self._redis.pipeline(transaction=False)
        for key in keys:
            reads.hgetall(key)
        return cursor, dict(zip(keys, reads.execute(), strict=True))

    def check(self, key: str) -> None:
        """Try to write to a key that nobody uses.

        Raises StartError if access is denied or there is no such database.
        """
        run = self._redis.register_script(scripts.TRY)
        self._start("check", lambda _: run(keys=[key], args=[]))

    def version(self) -> str:
        """The server's version; empty if this user may not query it.

        Raises StartError, as check does.
        """
        return self._start("info", self._version)

    def _version(self, _again: str) -> str:
        try:
            answer: Any = self._redis.info("server")
        except exceptions.NoPermissionError:
            return ""
        return str(answer.get("redis_version", ""))

    def _start(self, operation: str, call: Callable[[str], T]) -> T:
        try:
            return self._call(operation, call)
        except StoreError as error:
            if _is_for_good(error.__cause__):
                raise StartError(str(error)) from error.__cause__
            raise

    def _call(self, operation: str, call: Callable[[str], T], *, urgent: bool = False) -> T:
        """The call's answer. call: given "1" if it is made for the second time, else "0"."""
        began = time.monotonic()
        places = self._urgent_places if urgent else self._places
        if not places.acquire(timeout=TIMEOUT):
            raise self._failed(operation, exceptions.TimeoutError("no connection is free"))
        try:
            try:
                answer = call("0")
            except _UNHEARD as error:
                if _is_for_good(error) or time.monotonic() - began > RETRY_WITHIN:
                    raise
                answer = call("1")
        except (exceptions.RedisError, OSError) as error:
            raise self._failed(operation, error) from error
        finally:
            places.release()
        self._observe(operation, None)
        return answer

    def _failed(self, operation: str, error: Exception) -> StoreError:
        self._observe(operation, error)
        return StoreError(f"redis at {self.address}: {error}")


def _is_for_good(error: BaseException | None) -> bool:
    """Whether Redis denies access, or lacks the database: it will do so again."""
    denied = (exceptions.AuthenticationError, exceptions.NoPermissionError)
    return isinstance(error, denied) or any(text in str(error) for text in _FOR_GOOD)
