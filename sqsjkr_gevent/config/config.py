"""Config: made from a TOML file, from keywords or from another Config. Checked and immutable.

Importing this module reads no files and no environment variables.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..duration import format_duration
from ..errors import ConfigError
from .names import SECTIONS, Given, check, from_keywords, from_overrides, from_tables
from .sections import (
    AccountSection,
    HistorySection,
    KickerSection,
    LockerSection,
    LogSection,
    RedisSection,
    RetrySection,
    SqsSection,
    ThrottlerSection,
)
from .template import expand
from .toml import parse_toml, read_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import Keywords

_PORT = ("kicker", "stats_port")
_SOCKET = ("kicker", "stats_socket")
_REGION = ("account", "region")

#: Required keys, in the order in which sqsjkr checks them, with a hint for the error.
_REQUIRED = {
    ("sqs", "queue_name"): 'write queue_name = "..." under [sqs]',
    ("account", "id"): 'write id = "123456789012", the owner of the queue, under [account]',
    _REGION: 'write region = "ap-northeast-1" or the like under [account], or set AWS_REGION',
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a kicker. Create one with load, loads or new, which check every value."""

    account: AccountSection
    sqs: SqsSection
    kicker: KickerSection = field(default_factory=KickerSection)
    locker: LockerSection = field(default_factory=LockerSection)
    throttler: ThrottlerSection = field(default_factory=ThrottlerSection)
    redis: RedisSection = field(default_factory=RedisSection)
    retry: RetrySection = field(default_factory=RetrySection)
    history: HistorySection = field(default_factory=HistorySection)
    log: LogSection = field(default_factory=LogSection)

    @classmethod
    def load(
        cls,
        path: str | Path,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> "Config":
        """Read the config from a file. Arguments as for loads; raises ConfigError."""
        return cls.loads(read_text(path), str(path), environ, overrides)

    @classmethod
    def loads(
        cls,
        text: str,
        origin: str = "<string>",
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> "Config":
        """Read the config from a TOML text, after expanding its templates.

        origin: the name of the text in errors.
        environ: variables for the templates, AWS_REGION and AWS_DEFAULT_REGION; None: os.environ.
        overrides: values from the command line, such as {"account__region": "eu-west-1"}; they
        override the text, and None means not given. A stats_port also overrides a stats_socket in
        the text, and vice versa.
        Raises ConfigError, which names the key, the origin, and what was expected.
        """
        environ = os.environ if environ is None else environ
        given = from_tables(parse_toml(expand(text, environ, origin), origin), origin)
        _require_one_stats_address(given)
        given = _overridden(given, from_overrides(overrides or {}, "command line"))
        return _build(given, origin, environ)

    @classmethod
    def new(cls, **keywords: "Unpack[Keywords]") -> "Config":
        """Create a config from keywords, with the same values and checks as in a file.

        Every key is a keyword: queue_name, max_concurrent_num, wait_time=20, kill_grace="10s".
        account_id and keys that two sections share (locker_table, throttler_table) need the name
        of their section as a prefix; for other keys it is optional (log_level). None means not
        given. Raises ConfigError; for an unknown keyword, it suggests the closest one.
        """
        origin = "Config.new"
        given = from_keywords(keywords, origin)
        _require_one_stats_address(given)
        return _build(given, origin, os.environ)

    def replace(self, **overrides: object) -> "Config":
        """Copy with new values: replace(account__region="eu-west-1", log__level="debug").

        None means unchanged. Raises ConfigError, as loads does.
        """
        given = from_overrides(overrides, "Config.replace")
        _require_one_stats_address(given)
        sections: dict[str, Any] = {name: getattr(self, name) for name in SECTIONS}
        if _PORT in given:
            sections["kicker"] = dataclasses.replace(self.kicker, stats_socket=None)
        for (section, key), (value, origin) in given.items():
            parsed = check((section, key), value, origin)
            sections[section] = dataclasses.replace(sections[section], **{key: parsed})
        return _checked(Config(**sections), "Config.replace")


def _build(given: Given, origin: str, environ: Mapping[str, str]) -> Config:
    given = {name: one for name, one in given.items() if name not in _REQUIRED or one[0] != ""}
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if _REGION not in given and environ.get(variable):
            given[_REGION] = environ[variable], variable
    for name, hint in _REQUIRED.items():
        if name not in given:
            raise ConfigError(f"{origin}: {'.'.join(name)} is required: {hint}")
    parsed: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for (section, key), (value, where) in given.items():
        parsed[section][key] = check((section, key), value, where)
    sections: dict[str, Any] = {name: kind(**parsed[name]) for name, kind in SECTIONS.items()}
    return _checked(Config(**sections), origin)


def _checked(config: Config, origin: str) -> Config:
    """Return the config after the checks that involve more than one key."""
    sqs = config.sqs
    if sqs.delivery == "at_most_once" and sqs.queue_name.endswith(".fifo"):
        # SQS delivers a group's next message once the previous one is deleted.
        raise ConfigError(
            f"{origin}: sqs.delivery: at_most_once deletes a message before its job runs, so two "
            f"jobs of a group in a FIFO queue could run at once: set at_least_once, or use a "
            f"standard queue"
        )
    retry = config.retry
    if retry.backoff > retry.max_backoff:
        raise ConfigError(
            f"{origin}: retry.backoff: expected at most retry.max_backoff, which is "
            f"{format_duration(retry.max_backoff)}, got {format_duration(retry.backoff)}"
        )
    return config


def _require_one_stats_address(given: Given) -> None:
    # In sqsjkr, 0 and "" mean "not set".
    both = [given[name] for name in (_PORT, _SOCKET) if name in given]
    if len(both) == 2 and all(value not in (0, "") for value, _ in both):
        raise ConfigError(
            f"{both[0][1]}: kicker.stats_port and kicker.stats_socket: expected only one of them"
        )


def _overridden(given: Given, overrides: Given) -> Given:
    _require_one_stats_address(overrides)
    alternatives = {_PORT: _SOCKET, _SOCKET: _PORT}
    dropped = [other for name, other in alternatives.items() if name in overrides]
    return {name: one for name, one in given.items() if name not in dropped} | overrides
