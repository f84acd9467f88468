"""What a job prints, read as it comes and kept within a bound."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import monkey
from gevent.event import Event

from .libc import forget

# The patched ones defer a close or go through the hub; a pipe's end needs neither.
_read = monkey.get_original("os", "read")
_close = monkey.get_original("os", "close")

#: Bytes that a pipe holds by default, pipe(7).
_PIECE = 65536
_READABLE = 1

#: Seconds after which an output is watched for what comes.
_SOON = 0.02


@dataclass(frozen=True, slots=True)
class Output:
    """The first and the last bytes of an output, and how many bytes between them were left out."""

    head: bytes
    tail: bytes
    left_out: int

    def text(self) -> str:
        """As text: bytes that are no UTF-8 replaced, the number left out told in its place."""
        gap = f"\n[... {self.left_out} bytes left out ...]\n" if self.left_out else ""
        if not gap:
            return (self.head + self.tail).decode("utf-8", "replace")
        return self.head.decode("utf-8", "replace") + gap + self.tail.decode("utf-8", "replace")

    def shortened(self, limit: int) -> "Output":
        """The first and last half of `limit` bytes of it."""
        length = len(self.head) + len(self.tail)
        if length <= limit:
            return self
        head = (self.head if self.left_out else self.head + self.tail)[: limit // 2]
        tail = (self.tail if self.left_out else self.head + self.tail)[-(limit - limit // 2) :]
        return Output(head, tail, self.left_out + length - len(head) - len(tail))


class _Kept:
    """The first and the last half of `limit` bytes of all that was added."""

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
        # Cut only now and then: a cut moves all that stays.
        if len(self._tail) > 2 * self._max_tail:
            del self._tail[: -self._max_tail]

    def output(self) -> Output:
        tail = bytes(self._tail[-self._max_tail :]) if self._max_tail else b""
        return Output(bytes(self._head), tail, self._total - len(self._head) - len(tail))


class OutputReader:
    """Reads a non-blocking pipe until it ends, from the hub's own callbacks.

    The descriptor is the reader's from then on. closed: set at the end of the output. on_closed:
    called then. on_data: is given what was read, each time.
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
        # Most jobs are over before this: their output is read at once, and never watched.
        self._watcher: Any = self._loop.timer(_SOON)
        self._watcher.start(self._watch)
        self._watched = False

    def output(self) -> Output:
        """What was read so far."""
        return self._kept.output()

    def add(self, data: bytes) -> None:
        """Add to what was read."""
        self._kept.add(data)
        if self._on_data is not None:
            self._on_data(data)

    def read(self) -> None:
        """Read what is there now; if that is not all, go on as more comes."""
        # A piece is all that a pipe holds, and then comes the end; whoever writes on and on while
        # this reads must not keep the hub here.
        if self._read_some():
            self._read_some()
        if not self.closed.is_set() and not self._watched:
            self._watch()

    def close(self) -> None:
        """Read no more, whoever still holds the other end."""
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
        """Read once; answers whether there may be more now."""
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
