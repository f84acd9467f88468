"""The interface for starting a process, and its errors."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gevent import monkey

from ..errors import CannotExecute, HostExhausted

# The unpatched call: gevent's also registers the descriptors, which is not needed here.
_pipe2 = monkey.get_original("os", "pipe2")

#: execve's errors for a string over MAX_ARG_STRLEN (128 KiB) or too many strings, execve(2).
_TOO_LONG = frozenset({errno.E2BIG})


class Child(Protocol):
    """A started process, leader of its own session and process group.

    output: the read end of its stdout and stderr, non-blocking; the caller closes it.
    """

    pid: int
    output: int

    @property
    def returncode(self) -> int | None:
        """Exit status, minus the signal's number if a signal killed it, None while it runs."""

    def on_exit(self, call: Callable[[], None]) -> None:
        """Call `call` in the hub once the process has exited, immediately if it already has."""


class Launcher(Protocol):
    """Starts processes. name: as in `[kicker] launcher` and the log."""

    name: str

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None
    ) -> Child:
        """Start the program at `path` as `argv` with exactly the environment `env`.

        The signal mask and dispositions are the defaults, and only descriptors 0-2 are open.
        env: fastest as a ChainMap of the job's own variables and those that all jobs inherit, which
        must never change. stdin: a descriptor, None for /dev/null. Raises CannotExecute if no host
        can start it, HostExhausted if this host cannot now, Stopping if it was discarded.
        """

    def discard(self) -> None:
        """Have the starts that are not under way yet raise Stopping."""

    def close(self) -> None:
        """Stop starting processes. Running ones continue, but their exits are not reported."""


def output_pipe() -> tuple[int, int]:
    """A pipe for a child's output, its read end non-blocking. Raises HostExhausted."""
    try:
        reading, writing = _pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise HostExhausted(f"no pipe for the output: {error}") from error
    os.set_blocking(reading, False)
    return reading, writing


def start_error(error: OSError | ValueError) -> Exception:
    """CannotExecute for a NUL byte (ValueError) or a too long command, else HostExhausted."""
    if isinstance(error, ValueError) or error.errno in _TOO_LONG:
        return CannotExecute(f"the command cannot be executed: {error}")
    return HostExhausted(f"the host cannot start a process: {error}")
