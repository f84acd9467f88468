"""Simulated processes: what the package's process room asks of the operating system.

Its own Process, Runner and Guard are real; only what they ask the system for is simulated.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import gevent
from gevent.event import Event

from sqsjkr_gevent.errors import HostExhausted
from sqsjkr_gevent.process import guard, process
from sqsjkr_gevent.process.output import Output
from sqsjkr_gevent.process.watcher import FAREWELL, VARIABLE, next_look

from . import system
from .loop import Actor, VirtualLoop

#: Seconds that something takes, at least and at most: to start a process, to die of a signal that
#: is not ignored, to die of SIGKILL, to list the processes, to notice that the kicker is dead.
_START = (0.001, 0.02)
_DIE = (0.0, 0.05)
_DIE_AT_ONCE = (0.0005, 0.005)
_LIST = (0.001, 0.02)
_NOTICE = (0.001, 0.05)

#: Called with a process that begins, and when it has ended.
OnProcess = Callable[["Child"], None]


def command(seconds: float, status: int, *, stubborn: bool) -> str:
    """A command that runs so long and exits with that status. stubborn: SIGTERM does not end it."""
    return f"simulated {seconds} {status} {int(stubborn)} # only a shell knows what this is"


@dataclass(eq=False)
class Child:
    """A process; see process.launcher.Child. mark: its SQSJKR_RUN_ID. actor: its parent."""

    pid: int
    mark: str | None
    env: Mapping[str, str]
    stubborn: bool
    actor: Actor
    returncode: int | None = None
    calls: list[Callable[[], None]] = field(default_factory=list)

    @property
    def output(self) -> "Child":
        """In place of a descriptor: its output ends with it."""
        return self

    def on_exit(self, call: Callable[[], None]) -> None:
        """See Child."""
        if self.returncode is None:
            self.calls.append(call)
        else:
            call()


class Kernel:
    """The processes of one host, and the watchers of its kickers.

    exhausted: whether no process can be started now.
    """

    def __init__(
        self, loop: VirtualLoop, chance: Random, on_begin: OnProcess, on_end: OnProcess
    ) -> None:
        self.exhausted = False
        self.children: dict[int, Child] = {}
        self.watchers: dict[Actor, Watcher] = {}
        self._loop = loop
        self._chance = chance
        self._on_begin = on_begin
        self._on_end = on_end
        self._pid = 100

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> Child:
        """A process of the current actor."""
        word, *rest = argv[-1].split()
        seconds, status, stubborn = rest[:3] if word == "simulated" else ("0.001", "0", "0")
        self._pid += 1
        mark = env.get(VARIABLE)
        child = Child(self._pid, mark, dict(env), stubborn == "1", self._loop.current)
        self.children[child.pid] = child
        self._on_begin(child)
        self._loop.at(float(seconds), self._end, child, int(status))
        return child

    def signal(self, pid: int, number: int) -> None:
        """Send a signal; it ends the process a moment later, if at all."""
        child = self.children.get(pid)
        if child is not None and (number == signal.SIGKILL or not child.stubborn):
            soon = _DIE_AT_ONCE if number == signal.SIGKILL else _DIE
            self._loop.at(self._chance.uniform(*soon), self._end, child, -int(number))

    def list(self, mark: str | None) -> list[int]:
        """The processes of that run. The greenlet that asks waits."""
        gevent.sleep(self._chance.uniform(*_LIST))
        return [child.pid for child in self.children.values() if child.mark == mark]

    def pause(self) -> None:
        """The time that a start takes."""
        gevent.sleep(self._chance.uniform(*_START))

    def died(self, actor: Actor) -> None:
        """A kicker was killed: its watcher finds the end of their pipe."""
        watcher = self.watchers.pop(actor, None)
        if watcher is not None:
            self._loop.at(self._chance.uniform(*_NOTICE), watcher.kill_live)
            watcher.end()

    def kill_live(self, live: set[str]) -> None:
        """What a watcher does to the processes of live runs."""
        for child in [child for child in self.children.values() if child.mark in live]:
            self.signal(child.pid, signal.SIGKILL)

    def watch(self, live: set[str], silence: float) -> "Watcher":
        """A watcher for the current actor."""
        made = self.watchers[self._loop.current] = Watcher(self, self._loop, live, silence)
        return made

    def _end(self, child: Child, status: int) -> None:
        if self.children.pop(child.pid, None) is None:
            return
        child.returncode = status
        self._on_end(child)
        for call in child.calls:
            self._loop.post(child.actor, call)


class Watcher:
    """As process/watcher.py: it looks now and then how long the last heartbeat is ago."""

    def __init__(self, kernel: Kernel, loop: VirtualLoop, live: set[str], silence: float) -> None:
        self.returncode: int | None = None
        self.stdin = self
        self._kernel = kernel
        self._loop = loop
        self._live = live
        self._silence = silence
        self._beat_at = self._woke_at = loop.time
        self._look_in(next_look(silence, 0.0))

    def take(self, data: bytes) -> None:
        """What the kicker writes to its pipe."""
        self._beat_at = self._woke_at = self._loop.time
        if FAREWELL in data:
            self.kill_live()
            self.end()

    def kill_live(self) -> None:
        """Kill the processes of the kicker's live runs."""
        self._kernel.kill_live(self._live)

    def end(self, status: int = 0) -> None:
        """It exits."""
        self.returncode = status

    def close(self) -> None:
        """As of its stdin."""

    def poll(self) -> int | None:
        """As of subprocess.Popen."""
        return self.returncode

    def _look_in(self, seconds: float) -> None:
        self._loop.at(seconds, self._look)

    def _look(self) -> None:
        if self.returncode is not None:
            return
        now = self._loop.time
        due = self._woke_at + next_look(self._silence, self._woke_at - self._beat_at)
        if now >= due:  # Otherwise a heartbeat came meanwhile: it waits from then.
            self._woke_at = now
            if now - self._beat_at >= self._silence:
                self.kill_live()
            due = now + next_look(self._silence, now - self._beat_at)
        self._look_in(due - now)


class SimulatedLauncher:
    """See process.launcher.Launcher."""

    name = "simulated"

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None
    ) -> Child:
        """See Launcher."""
        kernel: Kernel = system.actor().kernel
        if kernel.exhausted:
            kernel.pause()
            raise HostExhausted("the host cannot start a process: EAGAIN")
        child = kernel.start(argv, env)
        try:
            kernel.pause()
        except BaseException:
            kernel.signal(child.pid, signal.SIGKILL)
            raise
        return child

    def discard(self) -> None:
        """See Launcher; none of them waits for a thread."""

    def close(self) -> None:
        """See Launcher."""


class SimulatedRuns:
    """See process.Runs. live: the marks of the runs that have processes."""

    def __init__(self, mark: str) -> None:
        self.live: set[str] = set()

    def open(self) -> None:
        """See Runs."""

    def begin(self, mark: str) -> str:
        """See Runs."""
        self.live.add(mark)
        return mark

    def end(self, entry: str) -> None:
        """See Runs."""
        self.live.discard(entry)

    def close(self) -> None:
        """See Runs."""


class SimulatedGuard(guard.Guard):
    """The real one, with a simulated watcher."""

    _runs: Any

    def start(self) -> None:
        """See Guard."""
        self._watcher = system.actor().kernel.watch(self._runs.live, self._silence)
        self.beat()

    def stop(self) -> None:
        """See Guard."""
        self._write(FAREWELL)

    def _write(self, data: bytes) -> None:
        self._watcher.take(data)


class SimulatedReader:
    """See process.output.OutputReader, for a child without output."""

    def __init__(
        self,
        child: Child,
        limit: int,
        on_closed: Callable[[], None],
        on_data: Callable[[bytes], None] | None = None,
    ) -> None:
        self.closed = Event()
        self._child = child
        self._on_closed = on_closed

    def read(self) -> None:
        """See OutputReader."""
        if self._child.returncode is not None:
            self.close()

    def close(self) -> None:
        """See OutputReader."""
        if not self.closed.is_set():
            self.closed.set()
            self._on_closed()

    def output(self) -> Output:
        """See OutputReader."""
        return Output(b"", b"", 0)

    def add(self, data: bytes) -> None:
        """See OutputReader."""


class SimulatedStrays:
    """See process.strays.Strays."""

    def find(self, mark: str | None, group: int | None) -> list[int]:
        """See Strays."""
        found: list[int] = system.actor().kernel.list(mark)
        return found

    def close(self) -> None:
        """See Strays."""


class SimulatedProcess(process.Process):
    """The real one, whose signals go to simulated processes."""

    def _group(self) -> int | None:
        return self.pid

    def _signal(self, number: int) -> None:
        system.actor().kernel.signal(self.pid, number)

    def _signal_strays(self, number: int) -> list[int] | None:
        return self._left()
