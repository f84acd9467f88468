"""Sets the log up. Importing the package configures nothing."""

import atexit
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..levels import LEVELS
from . import as_json, as_text
from .logger import NAMES, Logger
from .writer import LogWriter

#: Above every level that is used; only for configure().
_SILENT = {"silent": logging.CRITICAL}

#: Seconds to wait at exit for the last lines to be written.
FLUSH_WITHIN = 1.0

_Render = Callable[[int, str, str, Mapping[str, object], BaseException | None], str]

_writer: LogWriter | None = None


def configure(level: str, form: str) -> None:
    """Write lines of `level` and above to standard error, without ever blocking; see LogWriter.

    level: one of LEVELS, in any case, or `silent`. form: `text` or `json`.
    """
    render = as_json.render if form == "json" else _text_renderer()
    writer = _make_writer(render)
    write = _print if writer is None else writer.write
    Logger.output = _Lines((LEVELS | _SILENT)[level.lower()], render, write)


def finalize() -> None:
    """Have all other output to standard error go through the log's writer from now on.

    For example tracebacks of uncaught exceptions from Python and gevent.
    """
    if _writer is not None:
        sys.stderr = _Stream(_writer)


class _Lines:
    """An output that renders each event and writes the line."""

    def __init__(self, level: int, render: _Render, write: Callable[[str], object]) -> None:
        self.level = level
        self._render = render
        self._write = write

    def tell(
        self,
        name: str,
        level: int,
        event: str,
        fields: dict[str, Any],
        error: BaseException | None,
    ) -> None:
        """See Output. The name is not in the line."""
        self._write(self._render(time.time_ns(), NAMES[level], event, fields, error))


def _text_renderer() -> _Render:
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return as_text.render_coloured if is_terminal else as_text.render


def _make_writer(render: _Render) -> LogWriter | None:
    """The process's writer to its standard error; None if there is no such descriptor."""
    global _writer  # noqa: PLW0603  (a process has one standard error)
    try:
        fd = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None  # For example in a test that captures it.

    def format_dropped(count: int) -> str:
        event = "lines of the log were dropped"
        return render(time.time_ns(), "warning", event, {"count": count}, None)

    if _writer is None:
        atexit.register(flush)
    if _writer is None or _writer.fd != fd:
        _writer = LogWriter(fd, format_dropped)
    _writer.format_dropped = format_dropped
    return _writer


def flush() -> None:
    """Wait until the lines so far are written, for at most FLUSH_WITHIN seconds."""
    if _writer is not None:
        _writer.flush(FLUSH_WITHIN)


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
