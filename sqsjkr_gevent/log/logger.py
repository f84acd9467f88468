"""The loggers of the modules, and the one output that they share."""

import sys
from logging import DEBUG, ERROR, INFO, WARNING
from typing import Any, ClassVar, Protocol

from .standard import Standard

#: What each level is called in a line.
NAMES = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error"}


class Output(Protocol):
    """Where the events go. level: of the least severe ones that it takes."""

    level: int

    def tell(
        self,
        name: str,
        level: int,
        event: str,
        fields: dict[str, Any],
        error: BaseException | None,
    ) -> None:
        """Take an event of the logger of that name. error: show its traceback."""


class Logger:
    """Logs events with fields. Never raises: a log line must not cost a job.

    output: of all loggers; Python's logging until it is replaced.
    """

    __slots__ = ("_name",)

    output: ClassVar[Output] = Standard()

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, /, **fields: Any) -> None:
        """Log a detail for debugging."""
        if self.output.level <= DEBUG:
            self._tell(DEBUG, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Log an expected event."""
        if self.output.level <= INFO:
            self._tell(INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Log something that an operator should know."""
        if self.output.level <= WARNING:
            self._tell(WARNING, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Log a failure."""
        if self.output.level <= ERROR:
            self._tell(ERROR, event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """Log an unexpected failure, with the traceback of the exception being handled."""
        if self.output.level <= ERROR:
            self._tell(ERROR, event, fields, sys.exc_info()[1])

    def _tell(
        self, level: int, event: str, fields: dict[str, Any], error: BaseException | None = None
    ) -> None:
        try:
            self.output.tell(self._name, level, event, fields, error)
        except Exception:  # noqa: BLE001, S110
            pass


def get_logger(name: str) -> Logger:
    """The logger of a module."""
    return Logger(name)
