"""Starts the watcher process, sends it heartbeats, and restarts it if it dies."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from gevent import subprocess

from ..clock import Clock
from ..log import get_logger
from . import watcher
from .runs import Runs

log = get_logger(__name__)

#: Seconds that the watcher has to exit after the farewell.
_FAREWELL_WITHIN = 5.0


class Guard:
    """Has this kicker's processes ended if the kicker dies or hangs.

    mark: the kicker's name, the first part of SQSJKR_RUN_ID in all its processes. runs: the live
    runs, whose processes are to be ended. silence: seconds without a heartbeat until that happens.
    """

    def __init__(
        self, mark: str, runs: Runs, silence: float, clock: Clock = time.monotonic
    ) -> None:
        self._mark = mark
        self._runs = runs
        self._silence = silence
        self._clock = clock
        self._beat_at = clock()
        self._was_silent_at: float | None = None
        self._watcher: Any = None
        self._missing = False

    def start(self) -> None:
        """Start the watcher, or log a warning if the system has no /proc."""
        if not Path("/proc/self/environ").exists():
            log.warning("no /proc: jobs of a killed kicker will not be ended")
            return
        try:
            self._watcher = self._spawn()
        except (OSError, MemoryError) as error:
            log.error("cannot start the watcher; retrying", reason=repr(error))
            self._missing = True
            return
        self._missing = False
        os.set_blocking(self._watcher.stdin.fileno(), False)
        self.beat()

    def _spawn(self) -> Any:
        arguments = [self._mark, str(self._silence), str(self._runs.fd)]
        if self._runs.directory is not None:
            arguments.append(self._runs.directory)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", watcher.__file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            pass_fds=[self._runs.fd],
            bufsize=0,
            start_new_session=True,
        )

    def beat(self) -> None:
        """Send a heartbeat. Call it from the hub several times within `silence` seconds."""
        self._note_silence()
        self._beat_at = self._clock()
        if self._missing:
            self.start()
            return
        if self._watcher is None:
            return
        if self._watcher.poll() is not None:
            log.warning("the watcher has ended; starting another", status=self._watcher.returncode)
            self._watcher.stdin.close()
            self._watcher = None
            self.start()
            return
        self._write(b".")

    def now(self) -> float:
        """The time of the guard's clock."""
        return self._clock()

    def silent_since(self, moment: float) -> bool:
        """Whether the watcher may have ended processes since that time of the clock."""
        self._note_silence()
        return self._was_silent_at is not None and self._was_silent_at >= moment

    def stop(self) -> None:
        """End the watcher and wait for it. It first kills the processes of runs still live."""
        if self._watcher is None:
            return
        self._write(watcher.FAREWELL)
        self._watcher.stdin.close()
        try:
            self._watcher.wait(_FAREWELL_WITHIN)
        except subprocess.TimeoutExpired:
            self._watcher.kill()  # It is suspended, or waits for processes that do not end.
        self._watcher = None

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._watcher.stdin.fileno(), data)
        except (BrokenPipeError, BlockingIOError):
            pass  # It has just died, which the next beat() notices, or it is suspended.

    def _note_silence(self) -> None:
        now = self._clock()
        # A little less than the watcher's limit, because the two clocks start at different times.
        if now - self._beat_at >= self._silence * 0.8:
            self._was_silent_at = now
