"""The sections of the config: every key with its check and its default.

The readers in config.py, the keywords of Config.new and the tests use this table. All durations
are in seconds.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from ..levels import LEVELS
from .checks import Check, boolean, choice, duration, integer, matching, optional, text, zero_as
from .values import (
    account_id,
    backend_name,
    days,
    exit_code_list,
    host_names,
    inherited_names,
    is_loopback,
    port_or_any,
    redis_url,
    token,
    web_url,
)

#: Limits of SQS: a visibility timeout of 12 hours, and 20 seconds of waiting for a message.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_VISIBILITY = 12 * 3600
MAX_WAIT = 20
#: SQS keeps a message from 60 seconds to 14 days (MessageRetentionPeriod, the same page).
MIN_RETENTION = 60
MAX_RETENTION = 14 * 24 * 3600
#: The defaults of sqsjkr, also used for 0.
SLOTS = 20
STATS_PORT = 8061
#: Seconds; old ends are removed once a minute.
MIN_KEEP = 60

QUEUE_NAME = matching(
    r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo",
    "a queue name: up to 80 letters, digits, - and _; that of a FIFO queue ends with .fifo",
)
REGION = matching(r"[A-Za-z0-9-]{1,63}", "the name of a region, such as ap-northeast-1")


def key(check: Check, **default: Any) -> Any:
    """A key of a section; required if it has no default."""
    return field(metadata={"check": check}, **default)


@dataclass(frozen=True, kw_only=True)
class AccountSection:
    """[account]: the AWS account of the queue, and how to reach it."""

    id: str = key(account_id)
    region: str = key(optional(REGION))
    profile: str | None = key(optional(text), default=None)
    endpoint_url: str | None = key(optional(web_url), default=None)
    transport: str = key(choice("auto", "botocore"), default="auto")


@dataclass(frozen=True, kw_only=True)
class SqsSection:
    """[sqs]: the queue and how it is read."""

    queue_name: str = key(QUEUE_NAME)
    receivers: int = key(integer(1, 1000), default=8)
    wait_time: float = key(duration(0, MAX_WAIT, whole=True), default=20.0)
    visibility_timeout: float = key(duration(5, MAX_VISIBILITY, whole=True), default=60.0)
    delivery: str = key(choice("at_least_once", "at_most_once"), default="at_least_once")
    dead_letter_queue: str | None = key(optional(QUEUE_NAME), default=None)


@dataclass(frozen=True, kw_only=True)
class KickerSection:
    """[kicker]: how jobs are run. stats_port is not used if stats_socket is set."""

    max_concurrent_num: int = key(zero_as(SLOTS, integer(1)), default=SLOTS)
    life_time_trigger: str | None = key(optional(text), default=None)
    stats_port: int | Literal["any"] = key(zero_as(STATS_PORT, port_or_any), default=STATS_PORT)
    stats_socket: str | None = key(optional(text), default=None)
    stats_host: str = key(text, default="127.0.0.1")
    stats_hosts: tuple[str, ...] = key(host_names, default=())
    stats_token: str | None = key(optional(token), default=None)
    kill_over_life_time: bool = key(boolean, default=False)
    timeout: float = key(duration(), default=0.0)
    kill_grace: float = key(duration(), default=10.0)
    shutdown_timeout: float = key(duration(), default=25.0)
    output_limit: int = key(integer(0), default=65536)
    inherit_env: bool | tuple[str, ...] = key(inherited_names, default=True)
    max_waiting: int = key(integer(1), default=1000)
    launcher: str = key(choice("auto", "spawn", "plain"), default="auto")

    @property
    def port(self) -> int:
        """The stats_port as a number; 0: any free port."""
        return 0 if self.stats_port == "any" else self.stats_port

    @property
    def stats_address(self) -> str:
        """The socket's path, or host:port, for messages and URLs."""
        if self.stats_socket is not None:
            return self.stats_socket
        host = f"[{self.stats_host}]" if ":" in self.stats_host else self.stats_host
        return f"{host}:{self.stats_port}"

    @property
    def is_open(self) -> bool:
        """Whether other hosts can read commands and outputs without a token."""
        local = self.stats_socket is not None or is_loopback(self.stats_host)
        return not local and self.stats_token is None


@dataclass(frozen=True, kw_only=True)
class LockerSection:
    """[locker]: where locks are stored.

    table: with sqlite, the path of a file; with redis, the prefix of its keys.
    """

    backend: str = key(backend_name, default="dynamodb")
    table: str = key(text, default="sqsjkr")
    lease: float = key(duration(5), default=60.0)
    retry_interval: float = key(duration(above=True), default=5.0)


@dataclass(frozen=True, kw_only=True)
class ThrottlerSection:
    """[throttler]: where done jobs are recorded. retention None: the queue's retention period."""

    backend: str = key(backend_name, default="dynamodb")
    table: str = key(text, default="sqsjkr")
    retention: float | None = key(duration(MIN_RETENTION, MAX_RETENTION), default=None)


@dataclass(frozen=True, kw_only=True)
class RedisSection:
    """[redis]: the server of the backend redis. url: it may have a password in it."""

    url: str = key(redis_url, default="redis://127.0.0.1:6379/0", repr=False)


@dataclass(frozen=True, kw_only=True)
class RetrySection:
    """[retry]: which failed jobs are retried, and when."""

    exit_codes: tuple[int, ...] | Literal["any"] = key(exit_code_list, default=())
    max_attempts: int = key(integer(1), default=5)
    backoff: float = key(duration(0, MAX_VISIBILITY, above=True), default=10.0)
    max_backoff: float = key(duration(0, MAX_VISIBILITY, above=True), default=900.0)


@dataclass(frozen=True, kw_only=True)
class HistorySection:
    """[history]: where the ends of jobs are kept. path None: the last thousand, in memory."""

    path: str | None = key(optional(text), default=None)
    keep: float = key(days(MIN_KEEP), default=7 * 86400.0)


@dataclass(frozen=True, kw_only=True)
class LogSection:
    """[log]: the level and format of the log."""

    level: str = key(choice(*LEVELS, any_case=True), default="info")
    format: str = key(choice("text", "json"), default="text")
