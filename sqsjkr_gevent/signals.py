"""Signals: temporary handlers that run in the hub, and the signals to ignore."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import gevent

#: Signals that stop the kicker; a second one skips the wait for running jobs.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

_STRAY_NAMES = (
    "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU", "SIGIO", "SIGPWR",
)  # fmt: skip

#: Signals with no meaning here whose default action ends the process. sqsjkr, a Go program,
#: ignores them. Signals that report a fault in the process itself are not included.
#: https://pkg.go.dev/os/signal#hdr-Default_behavior_of_signals_in_Go_programs
STRAY: tuple[int, ...] = (
    *(getattr(signal, name) for name in _STRAY_NAMES if hasattr(signal, name)),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
)


@contextmanager
def handled(numbers: Sequence[int], call: Callable[[str], None]) -> Iterator[None]:
    """Within the block, call `call` in a greenlet with the name of each of these signals received.

    Only in the main thread. The previous handlers are restored afterwards.
    """
    before = {number: signal.getsignal(number) for number in numbers}
    watchers = [gevent.signal_handler(number, call, name_of(number)) for number in numbers]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number, handler in before.items():
            if handler is not None:  # None: not set from Python, so Python cannot restore it.
                signal.signal(number, handler)


def deadly(numbers: Sequence[int]) -> list[int]:
    """The signals that still have the default action, which ends this process."""
    return [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]


def ignore(numbers: Sequence[int]) -> None:
    """Make these signals do nothing from now on. Only in the main thread."""
    for number in numbers:
        # Not SIG_IGN: every program this process executes would inherit it.
        signal.signal(number, lambda *_: None)


def name_of(number: int) -> str:
    """The usual name, such as SIGTERM or SIGRTMIN+1."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
