"""gunicorn's own lines, in the form of the kickers' lines around them.

They are written by the thread that must go on: the master's, which replaces workers, and a worker's
hub. So a line goes out only where that takes no time, whole, in one write; one that cannot is
dropped and counted, and the next one says how many are missing.
"""

import json
import logging
import os
import stat
import sys

# As they are here, in the master, before anything is patched: a worker's hub has no part in them.
from _socket import MSG_DONTWAIT
from _socket import socket as _socket  # not socket's, which gevent replaces where it is patched
from datetime import datetime, timezone
from os import close as _close
from os import write as _write
from select import POLLOUT
from select import poll as _poll

#: Bytes that a pipe takes at once where it says that it takes some: PIPE_BUF of pipe(7).
_AT_ONCE = 4096

_CUT = b" [...]\n"


class Lines(logging.Formatter):
    """form: `text` or `json`."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback after it where there is one."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        time = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        level = record.levelname.lower()
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if self._form == "json":
            line = {"event": text, "logger": record.name, "level": level, "timestamp": time}
            return json.dumps(line, ensure_ascii=False)
        return f"{time} [{level:<9}] {text}"


class Handler(logging.Handler):
    """Writes to standard error; it neither waits nor raises."""

    def __init__(self) -> None:
        super().__init__()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of that record, or drop it."""
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
        except Exception:  # noqa: BLE001  (a full disk, a reader that has gone)
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
    """Write without a wait, also where another process has taken the room since the look.

    The descriptor itself stays as it is: other processes share it, and whether it waits. Raises
    OSError.
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
        return _write(fd, data)  # It is another user's, or there is no /proc.
    try:
        return _write(own, data)
    finally:
        _close(own)
