"""Sets the log up. Importing the package configures nothing."""

import atexit
import io
import json
import logging
import os
import sys
from datetime import datetime, timezone
from typing import Any

import structlog

from ..levels import LEVELS
from .writer import LogWriter

#: Above every level that is used; only for configure().
_SILENT = {"silent": logging.CRITICAL}

#: Seconds to wait at exit for the last lines to be written.
FLUSH_WITHIN = 1.0

_writer: LogWriter | None = None


class Logger:
    """Logs events with fields. Never raises: a log line must not cost a job.

    It uses the current structlog configuration.
    """

    def __init__(self, name: str) -> None:
        self._log = structlog.get_logger(name)

    def debug(self, event: str, **fields: Any) -> None:
        """Log a detail for debugging."""
        self._log_at("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Log an expected event."""
        self._log_at("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log something that an operator should know."""
        self._log_at("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Log a failure."""
        self._log_at("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Log an unexpected failure, with the traceback of the exception being handled."""
        self._log_at("exception", event, fields)

    def _log_at(self, level: str, event: str, fields: dict[str, Any]) -> None:
        try:
            getattr(self._log, level)(event, **fields)
        except Exception:  # noqa: BLE001, S110
            pass


def get_logger(name: str) -> Logger:
    """The logger of a module."""
    return Logger(name)


def configure(level: str, form: str) -> None:
    """Write lines of `level` and above to standard error, without ever blocking; see LogWriter.

    level: one of LEVELS, in any case, or `silent`. form: `text` or `json`.
    """
    renderer: structlog.typing.Processor
    if form == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr is not None and sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
            sort_keys=False,
            pad_event_to=0,
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if form == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger((LEVELS | _SILENT)[level.lower()]),
        logger_factory=_Lines(_make_writer(form)),
    )


def finalize() -> None:
    """Make the configuration final for this process, and create each logger only once.

    From then on, other output to standard error, such as tracebacks of uncaught exceptions from
    Python and gevent, goes through the log's writer.
    """
    structlog.configure(cache_logger_on_first_use=True)
    if _writer is not None:
        sys.stderr = _Stream(_writer)


def _make_writer(form: str) -> LogWriter | None:
    """The process's writer to its standard error; None if there is no such descriptor."""
    global _writer  # noqa: PLW0603  (a process has one standard error)
    try:
        fd = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None  # For example in a test that captures it.
    format_dropped = _dropped_as_json if form == "json" else _dropped_as_text
    if _writer is None:
        atexit.register(_flush)
    if _writer is None or _writer.fd != fd:
        _writer = LogWriter(fd, format_dropped)
    _writer.format_dropped = format_dropped
    return _writer


def _flush() -> None:
    if _writer is not None:
        _writer.flush(FLUSH_WITHIN)


def _dropped_as_json(count: int) -> str:
    line = {"count": count, "event": "lines of the log were dropped", "level": "warning"}
    return json.dumps(line | {"timestamp": _now()})


def _dropped_as_text(count: int) -> str:
    return f"{_now()} [warning  ] lines of the log were dropped count={count}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


class _Lines:
    """The structlog output of every logger; also the factory of itself."""

    def __init__(self, writer: LogWriter | None) -> None:
        self._write = _print if writer is None else writer.write

    def __call__(self, *_: Any) -> "_Lines":
        return self

    def msg(self, line: str) -> None:
        """Write the line."""
        self._write(line)

    debug = info = warning = error = critical = exception = msg


def _print(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")


class _Stream(io.TextIOBase):
    """A replacement for sys.stderr that writes whole lines through the log's writer."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._partial = ""

    def write(self, text: str) -> int:
        """Write the complete lines, and keep the rest."""
        *lines, self._partial = (self._partial + text).split("\n")
        if lines:
            self._writer.write("\n".join(lines))
        return len(text)

    def fileno(self) -> int:
        """The descriptor of standard error."""
        return self._writer.fd

    def isatty(self) -> bool:
        """Whether standard error is a terminal."""
        return os.isatty(self._writer.fd)
