"""Starting a process: the interface, and what may go wrong."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gevent import monkey

from ..errors import CannotExecute, HostExhausted

# The patched one goes through gevent's table of files; a pipe needs that not.
_pipe2 = monkey.get_original("os", "pipe2")

#: What execve answers for a string over MAX_ARG_STRLEN (128 KiB) or too many of them, execve(2).
_NEVER = frozenset({errno.E2BIG})


class Child(Protocol):
    """A started process, leader of a session and process group of its own.

    output: the read end of its stdout and stderr, non-blocking; the caller's to close.
    """

    pid: int
    output: int

    @property
    def returncode(self) -> int | None:
        """Exit status, minus the signal's number where one killed it, None while it runs."""

    def on_exit(self, call: Callable[[], None]) -> None:
        """Have `call` called in the hub once the process has exited, at once if it has."""


class Launcher(Protocol):
    """Starts processes. name: as `[kicker] launcher` and the log have it."""

    name: str

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None
    ) -> Child:
        """Start the program at `path` as `argv` with exactly the environment `env`.

        env: quickest as a ChainMap of the job's own and of what all jobs inherit, which is never
        changed. stdin: a descriptor, None for /dev/null. Signal mask and dispositions are the
        default, and no descriptor but 0-2 is open in it. Raises CannotExecute where no host can,
        HostExhausted where this one cannot now.
        """

    def close(self) -> None:
        """Start no more; what was started goes on, but its end is no longer seen."""


def output_pipe() -> tuple[int, int]:
    """A pipe for a child's output, its read end non-blocking. Raises HostExhausted."""
    try:
        reading, writing = _pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise HostExhausted(f"no pipe for the output: {error}") from error
    os.set_blocking(reading, False)
    return reading, writing


def start_error(error: OSError | ValueError) -> Exception:
    """CannotExecute for a ValueError, a NUL byte, and for what is too long; else HostExhausted."""
    if isinstance(error, ValueError) or error.errno in _NEVER:
        return CannotExecute(f"the command cannot be executed: {error}")
    return HostExhausted(f"the host cannot start a process: {error}")
