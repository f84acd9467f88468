"""Writes the lines of the log, and keeps nobody waiting: the disk may be full, the reader stalled.

A native thread writes, so only it waits for whoever reads. What it cannot take in time is dropped
and counted, and the next line that goes out is preceded by one that says how many are missing.
"""

import select
import signal
import time
from collections.abc import Callable

from gevent import monkey

# A native thread has no hub to go through.
_start_thread = monkey.get_original("_thread", "start_new_thread")
_SimpleQueue = monkey.get_original("queue", "SimpleQueue")
_write = monkey.get_original("os", "write")
_sleep = monkey.get_original("time", "sleep")
_poll = monkey.get_original("select", "poll")

#: Bytes of lines that wait to be written, at most.
MAX_WAITING = 4 * 1024 * 1024

#: Bytes that one write puts into a pipe as a whole, whoever else writes: PIPE_BUF of pipe(7).
_TOGETHER = 4096

#: Seconds between two looks at a descriptor that takes nothing now.
_LOOK = 0.05


class LogWriter:
    """Writes lines to the descriptor `fd`, each whole and in their order.

    told: makes the line that says how many were dropped; it may be changed. most: bytes that wait,
    at most.
    """

    def __init__(self, fd: int, told: Callable[[int], str], *, most: int = MAX_WAITING) -> None:
        self.fd = fd
        self.told = told
        self._most = most
        self._lines = _SimpleQueue()
        self._has_thread = False
        # Each is changed on one side only, so that no lock is needed: what was put and dropped
        # here, and what was taken and lost by the thread.
        self._put = 0
        self._put_bytes = 0
        self._dropped = 0
        self._taken = 0
        self._taken_bytes = 0
        self._lost = 0
        self._said = 0
        self._cut = False

    @property
    def dropped(self) -> int:
        """Lines that were dropped so far."""
        return self._dropped + self._lost

    def write(self, line: str) -> None:
        """Have the line written soon, a newline added. Never waits, never raises."""
        try:
            data = line.encode("utf-8", "backslashreplace") + b"\n"
            if self._put_bytes - self._taken_bytes + len(data) > self._most:
                self._dropped += 1
            elif self._has_thread or self._start():
                self._put += 1
                self._put_bytes += len(data)
                self._lines.put(data)
            elif len(data) <= _TOGETHER and self._takes_now():
                self._send(data)
            else:
                self._dropped += 1
        except Exception:  # noqa: BLE001  (whatever it is, the job goes on)
            self._dropped += 1

    def flush(self, within: float) -> bool:
        """Wait until all is written, at most so many seconds; answers whether it is."""
        until = time.monotonic() + within
        while self._taken < self._put:
            if time.monotonic() >= until:
                return False
            _sleep(0.002)
        return True

    def _start(self) -> bool:
        try:
            _start_thread(self._serve, ())
        except RuntimeError:
            return False  # The host has no more of them now; the next line tries again.
        self._has_thread = True
        return True

    def _serve(self) -> None:
        """In the thread, for as long as the process lives."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            data = self._lines.get()
            number = 1
            # Lines that wait already go out together, as far as a pipe takes them whole.
            while len(data) < _TOGETHER and not self._lines.empty():
                more = self._lines.get()
                if len(data) + len(more) > _TOGETHER:
                    self._send(data, number)
                    self._note(data, number)
                    data, number = more, 1
                else:
                    data, number = data + more, number + 1
            self._send(data, number)
            self._note(data, number)

    def _note(self, data: bytes, number: int) -> None:
        self._taken_bytes += len(data)
        self._taken += number

    def _send(self, data: bytes, number: int = 1) -> None:
        """Write it, or count its lines as lost."""
        missing = self.dropped
        try:
            if missing > self._said:
                told = self.told(missing - self._said)
                self._write_whole(told.encode("utf-8", "backslashreplace") + b"\n")
                self._said = missing
            self._write_whole(data)
        except Exception:  # noqa: BLE001  (a full disk, a reader that has gone: the next may go out)
            self._lost += number

    def _write_whole(self, data: bytes) -> None:
        if self._cut:
            # The end of a line could not be written: what follows must not stick to it.
            data = b"\n" + data
        while data:
            try:
                written = _write(self.fd, data)
            except BlockingIOError:
                _sleep(_LOOK)  # Somebody made it non-blocking.
                continue
            self._cut = written < len(data)
            data = data[written:]

    def _takes_now(self) -> bool:
        poll = _poll()
        poll.register(self.fd, select.POLLOUT)
        return bool(poll.poll(0))
