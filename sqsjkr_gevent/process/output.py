"""Reads a job's output as it comes, and keeps a limited part of it."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import monkey
from gevent.event import Event

from .libc import forget

# The unpatched calls: gevent's defer a close or go through the hub, which is not needed here.
_read = monkey.get_original("os", "read")
_close = monkey.get_original("os", "close")

#: Default capacity of a pipe in bytes, pipe(7).
_PIECE = 65536
_READABLE = 1

#: Seconds until an output is watched.
_SOON = 0.02


@dataclass(frozen=True, slots=True)
class Output:
    """The first and last bytes of an output, and the number of bytes left out in between."""

    head: bytes
    tail: bytes
    left_out: int

    def text(self) -> str:
        """As text, with invalid UTF-8 replaced and a note of how many bytes were left out."""
        gap = f"\n[... {self.left_out} bytes left out ...]\n" if self.left_out else ""
        if not gap:
            return (self.head + self.tail).decode("utf-8", "replace")
        return self.head.decode("utf-8", "replace") + gap + self.tail.decode("utf-8", "replace")

    def shortened(self, limit: int) -> "Output":
        """Its first and last bytes, half of `limit` each."""
        length = len(self.head) + len(self.tail)
        if length <= limit:
            return self
        head = (self.head if self.left_out else self.head + self.tail)[: limit // 2]
        tail = (self.tail if self.left_out else self.head + self.tail)[-(limit - limit // 2) :]
        return Output(head, tail, self.left_out + length - len(head) - len(tail))


class _Kept:
    """Keeps the first and the last bytes of all that is added, half of `limit` each."""

    def __init__(self, limit: int) -> None:
        self._max_head = limit - limit // 2
        self._max_tail = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        self._total += len(data)
        room = self._max_head - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if len(data) >= self._max_tail:
            self._tail[:] = data[len(data) - self._max_tail :]
            return
        self._tail += data
        # Cut only now and then, because each cut copies the rest.
        if len(self._tail) > 2 * self._max_tail:
            del self._tail[: -self._max_tail]

    def output(self) -> Output:
        tail = bytes(self._tail[-self._max_tail :]) if self._max_tail else b""
        return Output(bytes(self._head), tail, self._total - len(self._head) - len(tail))


class OutputReader:
    """Reads a non-blocking pipe to its end, in callbacks of the hub.

    The reader owns the descriptor. closed: set at the end of the output. on_closed: called then.
    on_data: called with each piece of data.
    """

    def __init__(
        self,
        fd: int,
        limit: int,
        on_closed: Callable[[], None] | None = None,
        on_data: Callable[[bytes], None] | None = None,
    ) -> None:
        self._fd = fd
        self._on_data = on_data
        self._kept = _Kept(limit)
        self._on_closed = on_closed
        self.closed = Event()
        self._loop = gevent.get_hub().loop
        # Most jobs are over by then: their output is read in one go, without a watcher.
        self._watcher: Any = self._loop.timer(_SOON)
        self._watcher.start(self._watch)
        self._watched = False

    def output(self) -> Output:
        """The output so far."""
        return self._kept.output()

    def add(self, data: bytes) -> None:
        """Add to the output."""
        self._kept.add(data)
        if self._on_data is not None:
            self._on_data(data)

    def read(self) -> None:
        """Read the available data; if the output has not ended, keep reading as more comes."""
        # One read empties the pipe, the next finds the end. No loop: a process that keeps writing
        # must not block the hub.
        if self._read_some():
            self._read_some()
        if not self.closed.is_set() and not self._watched:
            self._watch()

    def close(self) -> None:
        """Stop reading, even if a process still holds the other end."""
        if self.closed.is_set():
            return
        self._watcher.stop()
        self._watcher.close()
        if self._watched:
            forget(self._loop, self._fd)
        _close(self._fd)
        self.closed.set()
        if self._on_closed is not None:
            self._on_closed()

    def _watch(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        self._watcher = self._loop.io(self._fd, _READABLE)
        self._watcher.start(self._read_some)
        self._watched = True

    def _read_some(self) -> bool:
        """Read once. Returns whether there may be more data now."""
        try:
            data = _read(self._fd, _PIECE)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return error.errno == errno.EINTR
            data = b""
        if data:
            self.add(data)
            return True
        self.close()
        return False
