"""One command: started, bounded in time and output, killed with all the processes that it made."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import gevent
from gevent import monkey
from gevent.event import Event

from ..errors import CannotExecute, HostExhausted
from ..log import get_logger
from .direct import SHELL, as_dash_ends, shell_kind
from .launcher import Child, Launcher
from .output import Output, OutputReader
from .programs import Programs
from .runs import Runs
from .strays import Strays
from .text import text_file
from .watcher import VARIABLE

log = get_logger(__name__)

_close = monkey.get_original("os", "close")

#: Why a process was killed, as Exit.killed has it.
TIMED_OUT = "timeout"
STOPPED = "stop"
LEASE_LOST = "lease"
LIFE_TIME_OVER = "life_time"
FAULT = "fault"

#: Seconds that a process may take to vanish after SIGKILL before it is left to the kernel.
_VANISH = 2.0

#: Seconds that a process may take that does nothing.
PROBE_WITHIN = 10.0

#: Seconds between two looks at whether what was signalled is gone: at first, and at most.
_LOOK = 0.05
_MAX_LOOK = 0.5


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
    """A running command. It is over once its shell has exited and its output is closed.

    As a context it is over at the end of the block, whatever that raises.
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
        """Whether its shell has exited and its output is closed."""
        return self._over.is_set()

    def wait(self, timeout: float | None = None, reason: str = TIMED_OUT) -> Exit:
        """Wait until it is over; after `timeout` seconds kill it for `reason`.

        One that was killed has no process left then, whatever group or session that was in.
        """
        if not self._over.wait(timeout):
            self.kill(reason)
            self._over.wait()
        if self._killer is not None:
            self._killer.join()
        return Exit(
            self._status, self._killed, self._reader.output(), time.monotonic() - self._started
        )

    def kill(self, reason: str, grace: float | None = None) -> None:
        """SIGTERM to all its processes, after `grace` seconds SIGKILL; the first reason stands.

        Returns at once; wait() returns once all is over. grace: the runner's kill_grace. A later
        kill may bring the SIGKILL forward, never put it off.
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

    def kill_left_over(self) -> None:
        """Kill what it left running; once it is over, and where its message goes back all the same.

        Returns once that is gone.
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
        """Until nothing is left of it, or its time to end by itself is up."""
        assert self._sooner is not None
        look = _LOOK
        while (left := self._kill_at - time.monotonic()) > 0:
            if self._over.is_set() and self._left() == []:
                return
            self._sooner.clear()
            self._sooner.wait(min(left, look))
            look = min(2 * look, _MAX_LOOK)

    def _end(self) -> None:
        """Kill what is left, wherever it went."""
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
                gevent.sleep(_LOOK)
        finally:
            self._reader.close()
            if self._over.is_set():
                self._on_over(self)

    def _left(self) -> list[int] | None:
        """Its living processes; None where they cannot be seen now."""
        return self._strays.find(self._mark, self._group())

    def _signal_strays(self, number: int) -> list[int] | None:
        """Signal those that left the group; answers all that were there, as _left."""
        left = self._left()
        for pid in left or ():
            try:
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, number)
            except OSError:
                continue  # It has ended, or it is root's by now.
        return left

    def _group(self) -> int | None:
        """The number of its group, None where that may be another's."""
        # Once the leader is reaped its number may be another's, but not while the group lives.
        return None if self._exited and Path(f"/proc/{self.pid}").exists() else self.pid

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


class Runner:
    """Starts commands. output_limit: bytes. kill_grace: seconds between SIGTERM and SIGKILL.

    runs: where it is noted what runs, None for nowhere. direct: whether a command that needs no
    shell is executed without one. on_start: told of each start that fails, by its HostExhausted,
    and by None of the first that succeeds then. on_output: is given what commands print, as it
    comes.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        output_limit: int,
        kill_grace: float,
        runs: Runs | None = None,
        direct: bool = True,
        on_start: Callable[[HostExhausted | None], None] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self._launcher = launcher
        self._output_limit = output_limit
        self._kill_grace = kill_grace
        self._runs = runs
        self._shell = shell_kind()
        self._direct = direct and self._shell in ("dash", "bash")
        self._on_start = on_start
        self._fails = False
        self._on_output = on_output
        self._strays = Strays()
        self._programs = Programs()
        #: Those that are not over, and where each is noted.
        self._running: dict[Process, int | None] = {}

    def start(self, command: str, env: Mapping[str, str], stdin: str | None = None) -> Process:
        """Start `sh -c command`, or at once what that would execute.

        The SQSJKR_RUN_ID in env marks all its processes. Raises CannotExecute or HostExhausted.
        """
        try:
            process = self._start(command, env, stdin)
        except CannotExecute:
            raise
        except HostExhausted as error:
            self._tell(error)
            raise
        except (OSError, MemoryError) as error:
            # Whatever it was that could not be had for a start, this host has none of it now.
            exhausted = HostExhausted(f"the host cannot start a process: {error!r}")
            self._tell(exhausted)
            raise exhausted from error
        self._tell(None)
        return process

    def _start(self, command: str, env: Mapping[str, str], stdin: str | None) -> Process:
        mark = env.get(VARIABLE)
        place = None if mark is None or self._runs is None else self._runs.began(mark)
        try:
            if stdin is None:
                child, direct = self._launch(command, env, None)
            else:
                with text_file(stdin) as file:
                    child, direct = self._launch(command, env, file)
            process = self._process(child, mark, direct=direct)
        except BaseException:
            self._ended(place)
            raise
        if process.is_over:
            self._ended(place)
        else:
            self._running[process] = place
        return process

    def _process(self, child: Child, mark: str | None, *, direct: bool) -> Process:
        try:
            return Process(
                child,
                mark,
                self._strays,
                self._over,
                as_dash=direct and self._shell == "dash",
                output_limit=self._output_limit,
                kill_grace=self._kill_grace,
                on_output=self._on_output,
            )
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)  # It runs already, and nobody would know of it.
            _close(child.output)
            raise

    def _launch(
        self, command: str, env: Mapping[str, str], stdin: int | None
    ) -> tuple[Child, bool]:
        """Start it; answers whether without a shell."""
        program = self._programs.find(command, env) if self._direct else None
        if program is not None:
            try:
                return self._launcher.start(*program, stdin), True
            except (CannotExecute, HostExhausted):
                pass  # Let the shell say what is wrong with it, in its own words.
        return self._launcher.start(SHELL, ["sh", "-c", command], env, stdin), False

    def probe(self) -> None:
        """Start a process that does nothing. Raises HostExhausted where that cannot be done now."""
        end = self.start(":", {}).wait(PROBE_WITHIN)
        if end.status != 0:
            raise HostExhausted(f"a process that does nothing ends with {end}")

    def kill_all(self, reason: str) -> None:
        """Kill every process that runs, as Process.kill does."""
        for process in tuple(self._running):
            process.kill(reason)

    def close(self) -> None:
        """Start no more."""
        self._strays.close()
        self._programs.close()

    def _over(self, process: Process) -> None:
        self._ended(self._running.pop(process, None))

    def _ended(self, place: int | None) -> None:
        if place is not None and self._runs is not None:
            self._runs.ended(place)

    def _tell(self, error: HostExhausted | None) -> None:
        if self._on_start is not None and (error is not None or self._fails):
            self._fails = error is not None
            self._on_start(error)
