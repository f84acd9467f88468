"""gunicorn's log lines, rendered as the kickers' lines are.

The threads that write them must never block: the master's, which replaces workers, and a worker's
hub. So each line is a single write, made only if it cannot block. Otherwise the line is dropped,
and the next line says how many were dropped.
"""

import logging
import os
import stat
import sys

# Unpatched, as imported in the master: these calls never go through a worker's hub.
from _socket import MSG_DONTWAIT
from _socket import socket as _socket  # socket.socket would be gevent's after patching
from os import close as _close
from os import write as _write
from select import POLLOUT
from select import poll as _poll

from ..log import as_json, as_text

#: Bytes that a writable pipe takes without blocking: PIPE_BUF in pipe(7).
_AT_ONCE = 4096

_CUT = b" [...]\n"


class Lines(logging.Formatter):
    """Formats a record. form: `text` or `json`."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line, followed by the traceback if there is one."""
        at, level = int(record.created * 1e9), record.levelname.lower()
        event = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if self._form == "json":
            return as_json.render(at, level, event, {"logger": record.name}, error)
        return as_text.render(at, level, event, {}, error)


class Handler(logging.Handler):
    """Writes to standard error. Never blocks or raises."""

    def __init__(self) -> None:
        super().__init__()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line, or drop it."""
        try:
            text = self.format(record)
            if self._dropped:
                missing = logging.makeLogRecord(
                    {
                        "name": record.name,
                        "levelno": logging.WARNING,
                        "levelname": "WARNING",
                        "msg": f"lines of the log were dropped: {self._dropped}",
                    }
                )
                text = f"{self.format(missing)}\n{text}"
            if self._put(f"{text}\n".encode("utf-8", "backslashreplace")):
                self._dropped = 0
            else:
                self._dropped += 1
        except Exception:  # noqa: BLE001  (e.g. the disk is full, the reader is gone)
            self._dropped += 1

    def _put(self, data: bytes) -> bool:
        fd = sys.stderr.fileno()
        mode = os.fstat(fd).st_mode
        if stat.S_ISREG(mode):
            return _write(fd, data) > 0
        poll = _poll()
        poll.register(fd, POLLOUT)
        if not poll.poll(0):
            return False
        if len(data) > _AT_ONCE:
            data = data[: _AT_ONCE - len(_CUT)] + _CUT
        return _write_now(fd, mode, data) > 0


def _write_now(fd: int, mode: int, data: bytes) -> int:
    """Write without blocking, even if another process has filled the pipe since the poll.

    The descriptor itself stays blocking, because other processes share its mode. Raises OSError.
    """
    if stat.S_ISSOCK(mode):
        same = _socket(fileno=fd)
        try:
            return same.send(data, MSG_DONTWAIT)
        finally:
            same.detach()
    try:
        own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return _write(fd, data)  # It belongs to another user, or there is no /proc.
    try:
        return _write(own, data)
    finally:
        _close(own)
