"""Captures what the code under test logs, as events with fields and not as lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqsjkr_gevent.log.logger import NAMES, Logger


class _Kept:
    """An output that keeps every event."""

    level = 0

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def tell(
        self,
        name: str,
        level: int,
        event: str,
        fields: dict[str, Any],
        error: BaseException | None,
    ) -> None:
        """Keep it."""
        failed = {} if error is None else {"error": error}
        self.events.append({**fields, "event": event, "level": NAMES[level], **failed})


@contextmanager
def captured() -> Iterator[list[dict[str, Any]]]:
    """Yield the events logged in the block: the fields of each with `event` and `level`.

    One with a traceback also has the exception, as `error`. Nothing is written meanwhile.
    """
    kept, before = _Kept(), Logger.output
    Logger.output = kept
    try:
        yield kept.events
    finally:
        Logger.output = before
