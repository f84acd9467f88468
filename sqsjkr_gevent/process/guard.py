"""Starts the watcher, feeds it with beats, and starts another where it died."""

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

#: Seconds that the watcher has to end once it was told to.
_FAREWELL_WITHIN = 5.0


class Guard:
    """Ends the processes of this kicker should it die or stand still.

    mark: the kicker's name, which begins the SQSJKR_RUN_ID of all its processes. runs: says which
    of them belong to a run that is not over. silence: seconds without a beat after which those are
    ended.
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
        """Start the watcher; where the system has no /proc, say that there is none."""
        if not Path("/proc/self/environ").exists():
            log.warning("no /proc: jobs of a killed kicker will not be ended")
            return
        try:
            self._watcher = self._spawn()
        except (OSError, MemoryError) as error:
            log.error("the watcher cannot be started; tried again", reason=repr(error))
            self._missing = True
            return
        self._missing = False
        os.set_blocking(self._watcher.stdin.fileno(), False)
        self.beat()

    def _spawn(self) -> Any:
        told = [self._mark, str(self._silence), str(self._runs.fd)]
        if self._runs.directory is not None:
            told.append(self._runs.directory)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", watcher.__file__, *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            pass_fds=[self._runs.fd],
            bufsize=0,
            start_new_session=True,
        )

    def beat(self) -> None:
        """The hub turns; to be called several times within the silence."""
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
        """Whether since that time of the clock the watcher may have ended processes."""
        self._note_silence()
        return self._was_silent_at is not None and self._was_silent_at >= moment

    def stop(self) -> None:
        """End the watcher, and wait for it; it takes what still runs of a live run along."""
        if self._watcher is None:
            return
        self._write(watcher.FAREWELL)
        self._watcher.stdin.close()
        try:
            self._watcher.wait(_FAREWELL_WITHIN)
        except subprocess.TimeoutExpired:
            self._watcher.kill()  # It is stopped itself, or waits for what does not end.
        self._watcher = None

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._watcher.stdin.fileno(), data)
        except (BrokenPipeError, BlockingIOError):
            pass  # It died just now, which the next beat sees, or it is stopped itself.

    def _note_silence(self) -> None:
        now = self._clock()
        # A little less than the watcher waits for: its clock and ours start apart.
        if now - self._beat_at >= self._silence * 0.8:
            self._was_silent_at = now
