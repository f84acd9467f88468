"""How the log is written; only whoever runs a kicker calls this, never an import."""

import atexit
import io
import json
import logging
import os
import sys
from datetime import datetime, timezone
from typing import Any

import structlog

from .writer import LogWriter

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "silent": logging.CRITICAL,
}

#: Seconds that the end of the process waits for the last lines.
LAST_LINES = 1.0

_writer: LogWriter | None = None


class Logger:
    """Logs lines with fields, and never raises: no job is worth less than the line about it.

    It goes by whatever structlog is configured to.
    """

    def __init__(self, name: str) -> None:
        self._log = structlog.get_logger(name)

    def debug(self, event: str, **fields: Any) -> None:
        """For whoever looks for a fault."""
        self._tell("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happens in the order of things."""
        self._tell("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What somebody should know."""
        self._tell("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What went wrong."""
        self._tell("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """What nobody foresaw, with the traceback of what is being handled."""
        self._tell("exception", event, fields)

    def _tell(self, level: str, event: str, fields: dict[str, Any]) -> None:
        try:
            getattr(self._log, level)(event, **fields)
        except Exception:  # noqa: BLE001, S110
            pass


def get_logger(name: str) -> Logger:
    """The logger of a module."""
    return Logger(name)


def configure(level: str, form: str) -> None:
    """Write lines of `level` and above to standard error. form: `text` or `json`.

    To log neither raises nor waits from then on; see log_writer.
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
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level.lower()]),
        logger_factory=_Lines(_make_writer(form)),
    )


def for_good() -> None:
    """Nobody configures the log again in this process: each logger is made once.

    What others print to standard error, as Python and gevent print what nobody caught, goes the way
    of the log from then on.
    """
    structlog.configure(cache_logger_on_first_use=True)
    if _writer is not None:
        sys.stderr = _Stream(_writer)


def _make_writer(form: str) -> LogWriter | None:
    """The writer of this process, to its standard error; None where it has none."""
    global _writer  # noqa: PLW0603  (a process has one standard error)
    try:
        fd = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None  # As in a test that catches it.
    told = _dropped_as_json if form == "json" else _dropped_as_text
    if _writer is None:
        atexit.register(_flush)
    if _writer is None or _writer.fd != fd:
        _writer = LogWriter(fd, told)
    _writer.told = told
    return _writer


def _flush() -> None:
    if _writer is not None:
        _writer.flush(LAST_LINES)


def _dropped_as_json(count: int) -> str:
    line = {"count": count, "event": "lines of the log were dropped", "level": "warning"}
    return json.dumps(line | {"timestamp": _now()})


def _dropped_as_text(count: int) -> str:
    return f"{_now()} [warning  ] lines of the log were dropped count={count}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


class _Lines:
    """What structlog writes to, for every logger."""

    def __init__(self, writer: LogWriter | None) -> None:
        self._write = _print if writer is None else writer.write

    def __call__(self, *_: Any) -> "_Lines":
        return self

    def msg(self, line: str) -> None:
        """Write it."""
        self._write(line)

    debug = info = warning = error = critical = exception = msg


def _print(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")


class _Stream(io.TextIOBase):
    """Standard error for all who write text to it, in whole lines."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._begun = ""

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        *lines, self._begun = (self._begun + text).split("\n")
        if lines:
            self._writer.write("\n".join(lines))
        return len(text)

    def fileno(self) -> int:
        """Of the descriptor itself."""
        return self._writer.fd

    def isatty(self) -> bool:
        """Whether somebody sits before it."""
        return os.isatty(self._writer.fd)
