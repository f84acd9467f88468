"""Writes log lines without blocking the caller, even if the disk is full or the reader stalls.

A native thread writes, so only that thread waits. A line after a quiet moment is written at once,
the lines of a busy moment together. Lines that it cannot accept in time are dropped and counted; a
line that says how many are missing precedes the next one written.
"""

import select
import signal
import time
from collections.abc import Callable

from gevent import monkey

# The unpatched ones: a native thread has no hub.
_start_thread = monkey.get_original("_thread", "start_new_thread")
_SimpleQueue = monkey.get_original("queue", "SimpleQueue")
_write = monkey.get_original("os", "write")
_sleep = monkey.get_original("time", "sleep")
_poll = monkey.get_original("select", "poll")

#: Bytes of lines that may wait to be written.
MAX_WAITING = 4 * 1024 * 1024

#: Bytes that a single write puts into a pipe atomically: PIPE_BUF of pipe(7).
_MAX_ATOMIC = 4096

#: Seconds until what has come since the last write is written. Each time the thread wakes, it takes
#: the GIL from the jobs and gives it back, which costs more than the lines themselves.
_PAUSE = 0.02

#: Seconds between two tries to write to a full descriptor.
_RETRY_INTERVAL = 0.05


class LogWriter:
    """Writes whole lines, in order, to the descriptor `fd`.

    format_dropped: makes the line that says how many were dropped; it may be replaced later.
    max_waiting: bytes that may wait to be written.
    """

    def __init__(
        self, fd: int, format_dropped: Callable[[int], str], *, max_waiting: int = MAX_WAITING
    ) -> None:
        self.fd = fd
        self.format_dropped = format_dropped
        self._max_waiting = max_waiting
        self._lines = _SimpleQueue()
        self._has_thread = False
        # Each counter has one writer, so no lock is needed: the callers count what was put and
        # dropped, the thread what was taken, lost and reported.
        self._put = 0
        self._put_bytes = 0
        self._dropped = 0
        self._taken = 0
        self._taken_bytes = 0
        self._lost = 0
        self._reported = 0
        self._cut = False

    @property
    def dropped(self) -> int:
        """The number of lines dropped so far."""
        return self._dropped + self._lost

    def write(self, line: str) -> None:
        """Queue the line to be written, with a newline. Never blocks, never raises."""
        try:
            data = line.encode("utf-8", "backslashreplace") + b"\n"
            if self._put_bytes - self._taken_bytes + len(data) > self._max_waiting:
                self._dropped += 1
            elif self._has_thread or self._start():
                self._put += 1
                self._put_bytes += len(data)
                self._lines.put(data)
            elif len(data) <= _MAX_ATOMIC and self._is_writable():
                self._send(data)
            else:
                self._dropped += 1
        except Exception:  # noqa: BLE001  (the job must go on)
            self._dropped += 1

    def flush(self, within: float) -> bool:
        """Wait up to `within` seconds until all is written. Returns whether it is."""
        deadline = time.monotonic() + within
        while self._taken < self._put:
            if time.monotonic() >= deadline:
                return False
            _sleep(0.002)
        return True

    def _start(self) -> bool:
        try:
            _start_thread(self._serve, ())
        except RuntimeError:
            return False  # The host is out of threads; the next line tries again.
        self._has_thread = True
        return True

    def _serve(self) -> None:
        """Runs in the thread until the process ends."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            data = self._lines.get()
            number = 1
            # Lines that are already waiting go out together, up to what a pipe takes atomically.
            while len(data) < _MAX_ATOMIC and not self._lines.empty():
                more = self._lines.get()
                if len(data) + len(more) > _MAX_ATOMIC:
                    self._send(data, number)
                    self._count_taken(data, number)
                    data, number = more, 1
                else:
                    data, number = data + more, number + 1
            self._send(data, number)
            self._count_taken(data, number)
            _sleep(_PAUSE)

    def _count_taken(self, data: bytes, number: int) -> None:
        self._taken_bytes += len(data)
        self._taken += number

    def _send(self, data: bytes, number: int = 1) -> None:
        """Write the data, or count its lines as lost."""
        missing = self.dropped
        try:
            if missing > self._reported:
                line = self.format_dropped(missing - self._reported)
                self._write_whole(line.encode("utf-8", "backslashreplace") + b"\n")
                self._reported = missing
            self._write_whole(data)
        except Exception:  # noqa: BLE001  (a full disk, or the reader is gone: the next may succeed)
            self._lost += number

    def _write_whole(self, data: bytes) -> None:
        if self._cut:
            # The last line was cut off: start a new one.
            data = b"\n" + data
        while data:
            try:
                written = _write(self.fd, data)
            except BlockingIOError:
                _sleep(_RETRY_INTERVAL)  # Another process made the descriptor non-blocking.
                continue
            self._cut = written < len(data)
            data = data[written:]

    def _is_writable(self) -> bool:
        poll = _poll()
        poll.register(self.fd, select.POLLOUT)
        return bool(poll.poll(0))
