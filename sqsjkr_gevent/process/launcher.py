"""Starting a command: one small interface, and the plain way behind it."""

import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from gevent import monkey, subprocess

from ..errors import CannotExecute, HostExhausted

_pipe2 = monkey.get_original("os", "pipe2")
_close = monkey.get_original("os", "close")
_signal = monkey.get_original("signal", "signal")

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
    """Starts processes."""

    def start(self, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None) -> Child:
        """Start `argv` with exactly the environment `env`, stdin from a descriptor or /dev/null.

        Signal mask and dispositions are the default, and no descriptor but 0-2 is open in it.
        Raises CannotExecute where no host can, HostExhausted where this one cannot now.
        """


class _PlainChild:
    def __init__(self, popen: Any, output: int) -> None:
        self._popen = popen
        self.pid: int = popen.pid
        self.output = output

    @property
    def returncode(self) -> int | None:
        code: int | None = self._popen.poll()
        return code

    def on_exit(self, call: Callable[[], None]) -> None:
        self._popen.rawlink(lambda _: call())


class PlainLauncher:
    """gevent's subprocess: forks, so slower the larger the kicker is, but works everywhere."""

    def start(self, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None) -> Child:
        """See Launcher."""
        try:
            reading, writing = _pipe2(os.O_CLOEXEC)
        except OSError as error:
            raise HostExhausted(f"no pipe for the output: {error}") from error
        try:
            os.set_blocking(reading, False)
            popen = subprocess.Popen(
                list(argv),
                env=dict(env),
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=writing,
                stderr=subprocess.STDOUT,
                close_fds=True,
                start_new_session=True,
                preexec_fn=_reset_signals,
            )
        except (OSError, ValueError) as error:
            _close(reading)
            raise _start_error(error) from error
        finally:
            _close(writing)
        return _PlainChild(popen, reading)


def _start_error(error: OSError | ValueError) -> Exception:
    # ValueError is a NUL byte in an argument or in the environment.
    if isinstance(error, ValueError) or error.errno in _NEVER:
        return CannotExecute(f"the command cannot be executed: {error}")
    return HostExhausted(f"the host cannot start a process: {error}")


def _reset_signals() -> None:
    """In the child: an ignored signal stays ignored over exec, a blocked one blocked."""
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            _signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
