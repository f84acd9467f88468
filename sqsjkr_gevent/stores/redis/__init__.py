"""Locks and states of jobs in Redis, shared by all hosts that use one server.

`table` is the prefix of the keys. A lock is the hash `PREFIX:lock:LOCK_ID`, with `owner`,
`event_id`, `version` (grows with each renewal), `lease` (seconds), `locked_at` (for people),
`free_in` and `token`; without `owner` it is free. A job is the hash `PREFIX:job:JOB_ID`, with
`owner`, `status` (running or done) and, while it runs, `version` and `lease`.
"""

from typing import TYPE_CHECKING

from ...descriptors import store_connections
from ...errors import ConfigError
from ..backend import Opening
from .locker import FREE_LOCK_KEPT, RedisLocker
from .throttler import RedisThrottler

if TYPE_CHECKING:
    from .server import Server

__all__ = ["FREE_LOCK_KEPT", "Backend", "RedisLocker", "RedisThrottler"]


class Backend:
    """See backend.Backend. One server serves both stores. Raises ConfigError."""

    def __init__(self, opening: Opening) -> None:
        self._config = config = opening.config
        self._server = _server_class()(
            config.redis.url,
            connections=store_connections(config.kicker.max_concurrent_num),
            observe=opening.observer("redis"),
        )

    def locker(self) -> RedisLocker:
        """See backend.Backend."""
        section = self._config.locker
        return RedisLocker(self._server, section.table, lease=section.lease)

    def throttler(self, retention: float) -> RedisThrottler:
        """See backend.Backend."""
        return RedisThrottler(
            self._server,
            self._config.throttler.table,
            lease=self._config.sqs.visibility_timeout,
            retention=retention,
        )

    def check_visible(self) -> None:
        """See backend.Backend; they can."""

    def check(self) -> str:
        """See backend.Backend. It writes to a key that nobody uses, and deletes it."""
        for section in (self._config.locker, self._config.throttler):
            if section.backend == "redis":
                self._server.check(f"{section.table}:check")
        words = ("Redis", self._server.version(), "answers at", self._server.address)
        return " ".join(filter(None, words))


def _server_class() -> "type[Server]":
    try:
        from .server import Server  # noqa: PLC0415  (only here can it say what is missing)
    except ImportError as error:
        raise ConfigError(
            f"the backend redis needs a package: pip install 'sqsjkr-gevent[redis]' ({error})"
        ) from error
    return Server
