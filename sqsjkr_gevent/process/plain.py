"""The launcher that works everywhere: gevent's subprocess."""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gevent import monkey, subprocess

from .launcher import Child, output_pipe, start_error

_close = monkey.get_original("os", "close")
_signal = monkey.get_original("signal", "signal")


class _PlainChild:
    def __init__(self, popen: Any, output: int) -> None:
        self._popen = popen
        self.pid: int = popen.pid
        self.output = output

    @property
    def returncode(self) -> int | None:
        code: int | None = self._popen.returncode
        return code

    def on_exit(self, call: Callable[[], None]) -> None:
        self._popen.rawlink(lambda _: call())


class PlainLauncher:
    """Forks, so a start takes longer the more memory the kicker uses."""

    name = "plain"

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], stdin: int | None = None
    ) -> Child:
        """See Launcher."""
        reading, writing = output_pipe()
        try:
            popen = subprocess.Popen(
                list(argv),
                executable=path,
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
            raise start_error(error) from error
        finally:
            _close(writing)
        return _PlainChild(popen, reading)

    def discard(self) -> None:
        """See Launcher; none of them waits."""

    def close(self) -> None:
        """See Launcher."""


def _reset_signals() -> None:
    """Runs in the child, because ignored and blocked signals stay so after exec."""
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            _signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
