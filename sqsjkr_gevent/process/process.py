"""A running command, killed with all the processes that it started."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import gevent
from gevent.event import Event

from ..log import get_logger
from .direct import as_dash_ends
from .launcher import Child
from .output import Output, OutputReader
from .strays import Strays

log = get_logger(__name__)

#: Why a process was killed: the values of Exit.killed.
TIMED_OUT = "timeout"
STOPPED = "stop"
LEASE_LOST = "lease"
LIFE_TIME_OVER = "life_time"
FAULT = "fault"

#: Seconds to wait for processes to vanish after SIGKILL, before they are left to the kernel.
_VANISH = 2.0

#: Seconds between two checks whether the signalled processes are gone: at first, and at most.
_CHECK_EVERY = 0.05
_MAX_CHECK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended.

    status: exit status, or minus the number of the signal that killed it.
    killed: why we killed it, None if we did not.
    seconds: how long it ran.
    """

    status: int
    killed: str | None
    output: Output
    seconds: float

    def __str__(self) -> str:
        if self.status >= 0:
            return f"exit {self.status}"
        try:
            return f"signal {signal.Signals(-self.status).name}"
        except ValueError:
            return f"signal {-self.status}"


class Process:
    """A running command. It is over once its first process has exited and its output is closed.

    Used in a `with` block, it is over at the end of the block, even if the block raises.
    """

    def __init__(
        self,
        child: Child,
        mark: str | None,
        strays: Strays,
        on_over: Callable[["Process"], None],
        *,
        as_dash: bool,
        output_limit: int,
        kill_grace: float,
        on_output: Callable[[bytes], None] | None,
    ) -> None:
        self.pid = child.pid
        self._mark = mark
        self._strays = strays
        self._child = child
        self._on_over = on_over
        self._as_dash = as_dash
        self._status = 0
        self._kill_grace = kill_grace
        self._reader = OutputReader(child.output, output_limit, self._check_over, on_output)
        self._exited = False
        self._over = Event()
        self._killed: str | None = None
        self._kill_at = 0.0
        self._sooner: Event | None = None
        self._killer: gevent.Greenlet[[], None] | None = None
        self._started = time.monotonic()
        child.on_exit(self._exit)

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.kill(FAULT)
        if not self.is_over or self._killer is not None:
            self.wait()

    @property
    def is_over(self) -> bool:
        """Whether its first process has exited and its output is closed."""
        return self._over.is_set()

    def wait(self, timeout: float | None = None, reason: str = TIMED_OUT) -> Exit:
        """Wait until it is over; after `timeout` seconds kill it for `reason`.

        If it was killed, none of its processes is left then, in any group or session.
        """
        if not self._over.wait(timeout):
            self.kill(reason)
            self._over.wait()
        if self._killer is not None:
            self._killer.join()
        return Exit(
            self._status, self._killed, self._reader.output(), time.monotonic() - self._started
        )

    def kill(self, reason: str, grace: float | None = None) -> bool:
        """Send SIGTERM to all its processes, and SIGKILL after `grace` seconds.

        Returns at once whether this is the first kill; wait() returns once all are gone.
        grace: None for the runner's kill_grace. A later kill can bring the SIGKILL forward, but not
        delay it; the first reason stands.
        """
        at = time.monotonic() + (self._kill_grace if grace is None else grace)
        if self._killer is not None:
            if at < self._kill_at and self._sooner is not None:
                self._kill_at = at
                self._sooner.set()
        elif not self._over.is_set():
            self._killed = reason
            self._kill_at = at
            self._sooner = Event()
            self._killer = gevent.spawn(self._terminate)
            return True
        return False

    def kill_left_over(self) -> None:
        """Kill the processes that it left running, and wait until they are gone.

        For a command that is over, but whose message goes back to the queue.
        """
        self._end()

    def _terminate(self) -> None:
        try:
            self._signal(signal.SIGTERM)
            self._signal_strays(signal.SIGTERM)
            self._wait_for_end()
        finally:
            self._end()

    def _wait_for_end(self) -> None:
        """Wait until no process is left, or the grace period is over."""
        assert self._sooner is not None
        wait = _CHECK_EVERY
        while (left := self._kill_at - time.monotonic()) > 0:
            if self._over.is_set() and self._left() == []:
                return
            self._sooner.clear()
            self._sooner.wait(min(left, wait))
            wait = min(2 * wait, _MAX_CHECK_EVERY)

    def _end(self) -> None:
        """Kill the processes that are left, in any group or session."""
        until = time.monotonic() + _VANISH
        try:
            while True:
                self._signal(signal.SIGKILL)
                left = self._signal_strays(signal.SIGKILL)
                if left == []:
                    break
                if time.monotonic() >= until:
                    log.error("processes of a killed job do not end", run=self._mark, pids=left)
                    break
                gevent.sleep(_CHECK_EVERY)
        finally:
            self._reader.close()
            if self._over.is_set():
                self._on_over(self)

    def _left(self) -> list[int] | None:
        """Its living processes; None if they cannot be listed now."""
        return self._strays.find(self._mark, self._group())

    def _signal_strays(self, number: int) -> list[int] | None:
        """Signal its processes outside the group. Returns all its processes, as _left."""
        left = self._left()
        for pid in left or ():
            try:
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, number)
            except OSError:
                continue  # It has ended, or now runs as root.
        return left

    def _group(self) -> int | None:
        """Its process group, None if the number may belong to another group."""
        # Once the leader is reaped, its pid can be reused, but not while the group has members.
        reaped = self._child.returncode is not None
        return None if reaped and Path(f"/proc/{self.pid}").exists() else self.pid

    def _signal(self, number: int) -> None:
        """Signal the group."""
        group = self._group()
        if group is not None:
            try:
                os.killpg(group, number)
            except (ProcessLookupError, PermissionError):
                pass

    def _exit(self) -> None:
        self._exited = True
        if self._reader.closed.is_set():
            self._check_over()
        else:
            self._reader.read()

    def _check_over(self) -> None:
        if self._exited and self._reader.closed.is_set():
            self._status = self._child.returncode or 0
            if self._as_dash and self._status < 0 and self._killed is None:
                self._status, words = as_dash_ends(self._status)
                self._reader.add(words)
            self._over.set()
            if self._killer is None or self._killer.ready():
                self._on_over(self)
