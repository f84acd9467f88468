"""The fast launcher: native threads call posix_spawn while the hub continues.

The hub prepares the pipe and the arguments, a thread makes the call, the hub gets the pid. The cost
does not depend on the kicker's size, because no memory is copied.
"""

import errno
import os
import signal
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
from gevent import monkey

from ..errors import Stopping
from ..threads import Call, Threads
from .exits import Exits
from .launcher import Child, output_pipe, start_error
from .libc import PosixSpawn, longer, vector

# The unpatched call: gevent's would go through the hub.
_close = monkey.get_original("os", "close")

#: One can spawn while another waits for the GIL; more would only compete with the hub for it.
THREADS = 2

#: File actions are kept for pipes with a lower number than this. With more jobs at a time they are
#: made for each start, which takes 10 µs, so that they do not add up to half a KB for each job.
_KEEP_BELOW = 512

#: Descriptors passed to the child must be at least this: dup2 onto 0-2 must not overwrite them.
_FIRST = 3


class _Start(Call):
    """One call of posix_spawn. error: its errno, 0 for none."""

    __slots__ = ("argv", "descriptors", "env", "error", "path", "pid", "spawn")

    def __init__(
        self,
        spawn: Callable[..., tuple[int, int]],
        path: bytes,
        descriptors: Any,
        argv: Any,
        env: Any,
    ) -> None:
        super().__init__()
        self.spawn = spawn
        self.path = path
        self.descriptors = descriptors
        self.argv = argv
        self.env = env
        self.error = 0
        self.pid = 0

    def make(self) -> None:
        self.error, self.pid = self.spawn(self.path, self.descriptors, self.argv, self.env)


class _SpawnedChild:
    __slots__ = ("_calls", "output", "pid", "returncode")

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.output = output
        self.returncode: int | None = None
        self._calls: list[Callable[[], None]] = []

    def exited(self, status: int) -> None:
        self.returncode = os.waitstatus_to_exitcode(status)
        # Soon, not now: libev reaps all exited children, maybe thousands, before anything else gets
        # its turn. Between callbacks gevent looks at the clock.
        loop = gevent.get_hub().loop
        for call in self._calls:
            loop.run_callback(call)

    def on_exit(self, call: Callable[[], None]) -> None:
        if self.returncode is None:
            self._calls.append(call)
        else:
            call()


class _Variables:
    """Environments for libc; the part that all jobs inherit is encoded once."""

    def __init__(self) -> None:
        self._inherited: Mapping[str, str] = {}
        self._ready = vector([])

    def of(self, env: Mapping[str, str]) -> Any:
        """The vector for env; fast for a ChainMap of own and inherited variables.

        Raises ValueError for a NUL byte.
        """
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
    """See Launcher. Raises Unsupported if libc lacks a needed feature."""

    name = "spawn"

    def __init__(self) -> None:
        self._libc = PosixSpawn()
        self._null = _open_null()
        self._variables = _Variables()
        #: By the number of the pipe's write end; the system gives the lowest that is free.
        self._descriptors: dict[int, Any] = {}
        self._threads = Threads(THREADS)
        self._exits: Exits | None = None

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None
    ) -> Child:
        """See Launcher."""
        program, arguments, variables = self._encoded(path, argv, env)
        if self._exits is None:
            self._exits = Exits()
        exits = self._exits
        reading, writing = output_pipe()
        descriptors = None
        try:
            descriptors = self._descriptors_of(stdin, writing)
            start = _Start(self._libc.spawn, program, descriptors, arguments, variables)
            self._threads.submit(start)
            exits.expect()
            raised = start.wait()
        except BaseException:
            _close(reading)
            raise
        finally:
            _close(writing)
            if descriptors is not None and descriptors is not self._descriptors.get(writing):
                self._libc.forget_descriptors(descriptors)
        if isinstance(start.raised, Stopping):
            exits.failed()
            _close(reading)
            raise start.raised
        if start.raised is not None:
            start.error = errno.ENOMEM  # A call into C can only raise MemoryError.
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

    def _encoded(self, path: str, argv: Sequence[str], env: Mapping[str, str]) -> tuple[Any, ...]:
        """For libc: the path, and the vectors of arguments and variables."""
        try:
            arguments = vector([_encoded(argument) for argument in argv])
            return _encoded(path), arguments, self._variables.of(env)
        except ValueError as error:
            raise start_error(error) from error

    def discard(self) -> None:
        """See Launcher."""
        self._threads.discard(Stopping("the kicker stops"))

    def close(self) -> None:
        """See Launcher."""
        self._threads.close()
        if self._exits is not None:
            self._exits.close()
            self._exits = None
        _close(self._null)

    def _descriptors_of(self, stdin: int | None, writing: int) -> Any:
        if stdin is not None or writing >= _KEEP_BELOW:
            return self._libc.descriptors(self._null if stdin is None else stdin, writing)
        made = self._descriptors.get(writing)
        if made is None:
            made = self._descriptors[writing] = self._libc.descriptors(self._null, writing)
        return made


def _open_null() -> int:
    while True:
        # If some of 0-2 are closed, this opens and keeps them, as programs expect them to be open.
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
