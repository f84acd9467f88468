"""One command: started, bounded in time and output, killed with its whole process group."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.event import Event

from ..errors import CannotExecute, HostExhausted
from .direct import SHELL, as_dash_ends, directly, passed_on, shell_kind
from .launcher import Child, Launcher
from .output import Output, OutputReader
from .watcher import VARIABLE, kill_marked

#: Why a process was killed, as Exit.killed has it.
TIMED_OUT = "timeout"
STOPPED = "stop"
LEASE_LOST = "lease"
LIFE_TIME_OVER = "life_time"

#: Seconds that a process may take to vanish after SIGKILL before its output is left to itself.
_VANISH = 2.0

#: Seconds between two looks at whether a group that was signalled is gone.
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended.

    status: exit status, or minus the number of the signal that killed it.
    killed: why we killed it, None where we did not.
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
    """A running command. It is over once its shell has exited and its output is closed."""

    def __init__(
        self,
        child: Child,
        mark: str | None,
        on_over: Callable[["Process"], None],
        *,
        as_dash: bool,
        output_limit: int,
        kill_grace: float,
        on_output: Callable[[bytes], None] | None,
    ) -> None:
        self.pid = child.pid
        self._mark = mark
        self._child = child
        self._on_over = on_over
        self._as_dash = as_dash
        self._status = 0
        self._kill_grace = kill_grace
        self._reader = OutputReader(child.output, output_limit, self._check_over, on_output)
        self._exited = False
        self._over = Event()
        self._killed: str | None = None
        self._killer: gevent.Greenlet[[float], None] | None = None
        self._started = time.monotonic()
        child.on_exit(self._exit)

    @property
    def is_over(self) -> bool:
        """Whether its shell has exited and its output is closed."""
        return self._over.is_set()

    def wait(self, timeout: float | None = None, reason: str = TIMED_OUT) -> Exit:
        """Wait until it is over; after `timeout` seconds kill it for `reason`."""
        if not self._over.wait(timeout):
            self.kill(reason)
            self._over.wait()
        if self._killer is not None:
            self._killer.join()
        return Exit(
            self._status, self._killed, self._reader.output(), time.monotonic() - self._started
        )

    def kill(self, reason: str, grace: float | None = None) -> None:
        """SIGTERM to the process group, after `grace` seconds SIGKILL; the first reason stands.

        Returns at once; wait() returns once all is over. grace: the runner's kill_grace.
        """
        if self._killer is None and not self._over.is_set():
            self._killed = reason
            grace = self._kill_grace if grace is None else grace
            self._killer = gevent.spawn(self._terminate, grace)

    def _terminate(self, grace: float) -> None:
        self._signal(signal.SIGTERM)
        if not self._gone_within(grace):
            self._signal(signal.SIGKILL)
            self._gone_within(_VANISH)
        if not self._reader.closed.is_set() and self._mark is not None:
            # A process that left the group holds the output.
            kill_marked(self._mark, within=_VANISH)
            self._reader.closed.wait(_VANISH)
        self._reader.close()

    def _gone_within(self, seconds: float) -> bool:
        """Wait for all of the group to end, members that hold no output included."""
        until = time.monotonic() + seconds
        while not (self._over.is_set() and not self._signal(0)):
            left = until - time.monotonic()
            if left <= 0:
                return False
            gevent.sleep(min(left, _LOOK))
        return True

    def _signal(self, number: int) -> bool:
        """Signal the group; answers whether there is one."""
        # Once the leader is reaped its number may be another's, but not while the group lives.
        if self._exited and Path(f"/proc/{self.pid}").exists():
            return False
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

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
            self._on_over(self)


class Runner:
    """Starts commands. output_limit: bytes. kill_grace: seconds between SIGTERM and SIGKILL.

    direct: whether a command that needs no shell is executed without one. on_output: is given
    what commands print, as it comes.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        output_limit: int,
        kill_grace: float,
        direct: bool = True,
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self._launcher = launcher
        self._output_limit = output_limit
        self._kill_grace = kill_grace
        self._shell = shell_kind()
        self._direct = direct and self._shell in ("dash", "bash")
        self._on_output = on_output
        self._running: set[Process] = set()

    def start(self, command: str, env: Mapping[str, str], stdin: str | None = None) -> Process:
        """Start `sh -c command`, or at once what that would execute.

        The SQSJKR_RUN_ID in env marks all its processes. Raises CannotExecute or HostExhausted.
        """
        if stdin is None:
            child, direct = self._launch(command, env, None)
        else:
            # A file, not a pipe: no text is too long for it, and nobody has to feed it.
            with tempfile.TemporaryFile() as file:
                file.write(stdin.encode("utf-8", "surrogateescape"))
                file.seek(0)
                child, direct = self._launch(command, env, file.fileno())
        process = Process(
            child,
            env.get(VARIABLE),
            self._running.discard,
            as_dash=direct and self._shell == "dash",
            output_limit=self._output_limit,
            kill_grace=self._kill_grace,
            on_output=self._on_output,
        )
        if not process.is_over:
            self._running.add(process)
        return process

    def _launch(
        self, command: str, env: Mapping[str, str], stdin: int | None
    ) -> tuple[Child, bool]:
        """Start it; answers whether without a shell."""
        program = directly(command, env) if self._direct else None
        passed = passed_on(env) if program is not None else None
        if program is not None and passed is not None:
            try:
                return self._launcher.start(*program, passed, stdin), True
            except (CannotExecute, HostExhausted):
                pass  # Let the shell say what is wrong with it, in its own words.
        return self._launcher.start(SHELL, ["sh", "-c", command], env, stdin), False

    def kill_all(self, reason: str) -> None:
        """Kill every process that runs, as Process.kill does."""
        for process in tuple(self._running):
            process.kill(reason)
