"""The fast launcher: native threads that call posix_spawn, while the hub goes on.

The hub makes the pipe and the arguments, a thread makes the call, the hub gets the pid back; none
of it costs more where the kicker has grown, since nothing is copied.
"""

import os
import signal
from collections import ChainMap, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
from gevent import monkey
from gevent.hub import Waiter

from .exits import Exits
from .launcher import Child, output_pipe, start_error
from .libc import PosixSpawn, longer, vector

# gevent's would run in the hub, or remember each child for a minute.
_close = monkey.get_original("os", "close")
_start_thread = monkey.get_original("_thread", "start_new_thread")
_SimpleQueue: Any = monkey.get_original("queue", "SimpleQueue")

#: One can spawn while another waits for the GIL; more only take it from the hub.
THREADS = 2

#: Descriptors 0-2 are the child's own numbers: what becomes one of them must not be one here.
_FIRST = 3


class _Start:
    """One start on its way to a thread and back."""

    __slots__ = ("argv", "descriptors", "env", "error", "over", "path", "pid", "waiter")

    def __init__(self, path: bytes, descriptors: Any, argv: Any, env: Any) -> None:
        self.path = path
        self.descriptors = descriptors
        self.argv = argv
        self.env = env
        self.error = 0
        self.pid = 0
        self.over = False
        self.waiter: Waiter[None] = Waiter()

    def wait(self) -> BaseException | None:
        """Wait until the thread is done with it; answers what was raised in here meanwhile.

        Not to be cut short: until then the thread may use the descriptors.
        """
        raised = None
        while not self.over:
            try:
                self.waiter.get()
            except BaseException as error:  # noqa: BLE001  (raised again by the caller)
                raised = error
        return raised


class _SpawnedChild:
    __slots__ = ("_calls", "output", "pid", "returncode")

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.output = output
        self.returncode: int | None = None
        self._calls: list[Callable[[], None]] = []

    def exited(self, status: int) -> None:
        self.returncode = os.waitstatus_to_exitcode(status)
        for call in self._calls:
            call()

    def on_exit(self, call: Callable[[], None]) -> None:
        if self.returncode is None:
            self._calls.append(call)
        else:
            call()


class _Variables:
    """Environments for the libc; what all jobs inherit is made ready once."""

    def __init__(self) -> None:
        self._inherited: Mapping[str, str] = {}
        self._ready = vector([])

    def of(self, env: Mapping[str, str]) -> Any:
        """A ChainMap of a job's own and the inherited is quick. Raises ValueError for a NUL."""
        if not isinstance(env, ChainMap):
            return vector(_encoded_variables(env))
        own, inherited = env.maps
        if not own.keys().isdisjoint(inherited):
            return vector(_encoded_variables(env))
        if inherited is not self._inherited:
            self._ready = vector(_encoded_variables(inherited))
            self._inherited = inherited
        return longer(self._ready, _encoded_variables(own))


class SpawnLauncher:
    """See Launcher. Raises Unsupported where the libc lacks what it needs."""

    name = "spawn"

    def __init__(self) -> None:
        self._libc = PosixSpawn()
        self._null = _open_null()
        self._variables = _Variables()
        #: By the number of the pipe's end, which the system gives out again and again.
        self._descriptors: dict[int, Any] = {}
        self._starts = _SimpleQueue()
        self._done: deque[_Start] = deque()
        self._exits: Exits | None = None
        self._wake: Any = None

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None
    ) -> Child:
        """See Launcher."""
        try:
            arguments = vector([_encoded(argument) for argument in argv])
            variables = self._variables.of(env)
            program = _encoded(path)
        except ValueError as error:
            raise start_error(error) from error
        exits = self._exits or self._open()
        reading, writing = output_pipe()
        try:
            start = _Start(program, self._descriptors_of(stdin, writing), arguments, variables)
            exits.expect()
            self._starts.put(start)
            raised = start.wait()
        finally:
            _close(writing)
        if start.error:
            exits.failed()
            _close(reading)
            raise start_error(OSError(start.error, os.strerror(start.error)))
        child = _SpawnedChild(start.pid, reading)
        exits.started(start.pid, child.exited)
        if raised is not None:
            _close(reading)
            if child.returncode is None:
                os.killpg(start.pid, signal.SIGKILL)
            raise raised
        return child

    def close(self) -> None:
        """See Launcher."""
        if self._exits is not None:
            for _ in range(THREADS):
                self._starts.put(None)
            self._exits.close()
            self._wake.stop()
            self._wake.close()
            self._exits = None
        _close(self._null)

    def _open(self) -> Exits:
        self._exits = Exits()
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self._take_back)
        for _ in range(THREADS):
            _start_thread(self._serve, ())
        return self._exits

    def _descriptors_of(self, stdin: int | None, writing: int) -> Any:
        if stdin is not None:
            return self._libc.descriptors(stdin, writing)
        made = self._descriptors.get(writing)
        if made is None:
            made = self._descriptors[writing] = self._libc.descriptors(self._null, writing)
        return made

    def _serve(self) -> None:
        """In a thread: nothing of gevent may be used but the wake-up."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        take, spawn, give, wake = (
            self._starts.get,
            self._libc.spawn,
            self._done.append,
            self._wake.send,
        )
        while True:
            start = take()
            if start is None:
                return
            start.error, start.pid = spawn(start.path, start.descriptors, start.argv, start.env)
            give(start)
            wake()

    def _take_back(self) -> None:
        while self._done:
            start = self._done.popleft()
            start.over = True
            start.waiter.switch(None)


def _open_null() -> int:
    while True:
        # Where 0-2 were closed, this fills them: they stay open, as every program expects.
        fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        if fd >= _FIRST:
            return fd


def _encoded_variables(env: Mapping[str, str]) -> list[bytes]:
    return [_encoded(f"{name}={value}") for name, value in env.items()]


def _encoded(string: str) -> bytes:
    data = os.fsencode(string)
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data
