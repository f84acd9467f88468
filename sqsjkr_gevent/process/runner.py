"""Starts commands, and keeps track of those that run."""

import os
import signal
from collections.abc import Callable, Mapping

import gevent
from gevent import monkey

from ..errors import CannotExecute, HostExhausted, Stopping
from .direct import SHELL, shell_kind
from .launcher import Child, Launcher
from .process import Process
from .programs import Programs
from .runs import Runs
from .strays import AT_ONCE, Strays
from .text import text_file
from .watcher import VARIABLE

_close = monkey.get_original("os", "close")

#: Seconds between two pieces of kill_all(), and how many such pauses while the last is not over.
#: Ending processes compete with the hub for the CPU, and libev reaps all of them in one go.
_PAUSE = 0.01
_MAX_PAUSES = 3

#: Seconds that a process that does nothing may take.
PROBE_WITHIN = 10.0


class Runner:
    """Starts commands. output_limit: bytes. kill_grace: seconds between SIGTERM and SIGKILL.

    runs: records the live runs, None for no record. direct: whether to execute commands that need
    no shell without one. on_start: called with the HostExhausted of each failed start, and with
    None at the first success after it. on_output: called with the commands' output as it comes.
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
        self._refuses = False
        self._on_output = on_output
        self._strays = Strays()
        self._programs = Programs()
        #: Processes that are not over, with their entries in `runs`.
        self._running: dict[Process, int | None] = {}

    def start(self, command: str, env: Mapping[str, str], stdin: str | None = None) -> Process:
        """Start `sh -c command`, or directly the program that it would execute.

        The SQSJKR_RUN_ID in env marks all its processes. stdin: its text, None for /dev/null.
        Raises CannotExecute, HostExhausted, or Stopping after refuse_starts().
        """
        if self._refuses:
            raise Stopping("the kicker stops")
        try:
            process = self._start(command, env, stdin)
        except CannotExecute:
            raise
        except HostExhausted as error:
            self._report(error)
            raise
        except (OSError, MemoryError) as error:
            # A resource is missing, and all of them are this host's.
            exhausted = HostExhausted(f"the host cannot start a process: {error!r}")
            self._report(exhausted)
            raise exhausted from error
        self._report(None)
        return process

    def _start(self, command: str, env: Mapping[str, str], stdin: str | None) -> Process:
        mark = env.get(VARIABLE)
        entry = None if mark is None or self._runs is None else self._runs.begin(mark)
        try:
            if stdin is None:
                child, direct = self._launch(command, env, None)
            else:
                with text_file(stdin) as file:
                    child, direct = self._launch(command, env, file)
            process = self._process(child, mark, direct=direct)
        except BaseException:
            self._end(entry)
            raise
        if process.is_over:
            self._end(entry)
        else:
            self._running[process] = entry
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
            os.killpg(child.pid, signal.SIGKILL)  # It already runs, but nothing would track it.
            _close(child.output)
            raise

    def _launch(
        self, command: str, env: Mapping[str, str], stdin: int | None
    ) -> tuple[Child, bool]:
        """Start it. Returns the child and whether it runs without a shell."""
        program = self._programs.find(command, env) if self._direct else None
        if program is not None:
            try:
                return self._launcher.start(*program, stdin), True
            except (CannotExecute, HostExhausted):
                pass  # Let the shell report the error in its own words.
        return self._launcher.start(SHELL, ["sh", "-c", command], env, stdin), False

    def probe(self) -> None:
        """Start a process that does nothing. Raises HostExhausted if that is impossible now."""
        end = self.start(":", {}).wait(PROBE_WITHIN)
        if end.status != 0:
            raise HostExhausted(f"a process that does nothing ended with {end}")

    def refuse_starts(self) -> None:
        """Start nothing from now on, also nothing that waits to be started."""
        self._refuses = True
        self._launcher.discard()

    def kill_all(self, reason: str) -> None:
        """Kill all running processes, as Process.kill does.

        If there are many, in pieces: see AT_ONCE.
        """
        killed: list[Process] = []
        for process in tuple(self._running):
            if process.kill(reason):
                killed.append(process)
            if len(killed) == AT_ONCE:
                _let_end(killed)
                killed.clear()

    def close(self) -> None:
        """Stop starting commands."""
        self._strays.close()
        self._programs.close()

    def _over(self, process: Process) -> None:
        self._end(self._running.pop(process, None))

    def _end(self, entry: int | None) -> None:
        if entry is not None and self._runs is not None:
            self._runs.end(entry)

    def _report(self, error: HostExhausted | None) -> None:
        if self._on_start is not None and (error is not None or self._fails):
            self._fails = error is not None
            self._on_start(error)


def _let_end(killed: list[Process]) -> None:
    """Let these processes end, but do not wait for those that take their time."""
    for _ in range(_MAX_PAUSES):
        gevent.sleep(_PAUSE)
        if all(process.is_over for process in killed):
            return
