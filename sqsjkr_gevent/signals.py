"""Signals, handled in the hub for a while, and then given back."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import gevent

#: Signals that ask for a stop; a second one skips the wait for running jobs.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

_STRAY_NAMES = (
    "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU", "SIGIO", "SIGPWR",
)  # fmt: skip

#: Signals that ask for nothing here and end a process that does not handle them. A Go program, as
#: sqsjkr is, ignores them. No signal is among them that tells of a fault in the process itself.
#: https://pkg.go.dev/os/signal#hdr-Default_behavior_of_signals_in_Go_programs
STRAY: tuple[int, ...] = (
    *(getattr(signal, name) for name in _STRAY_NAMES if hasattr(signal, name)),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
)


@contextmanager
def handled(numbers: Sequence[int], call: Callable[[str], None]) -> Iterator[None]:
    """Have `call` called with the name of each of these signals, in a greenlet, for the block.

    Only in the main thread. What handled them before does so again afterwards.
    """
    before = {number: signal.getsignal(number) for number in numbers}
    watchers = [gevent.signal_handler(number, call, name_of(number)) for number in numbers]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number, handler in before.items():
            if handler is not None:  # None: it was not set from Python, nor can it be.
                signal.signal(number, handler)


def deadly(numbers: Sequence[int]) -> list[int]:
    """Those that nobody handles or ignores yet, so that they would end this process."""
    return [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]


def ignore(numbers: Sequence[int]) -> None:
    """Have these signals do nothing from now on. Only in the main thread."""
    for number in numbers:
        # Not SIG_IGN, which every program that this process executes would inherit.
        signal.signal(number, lambda *_: None)


def name_of(number: int) -> str:
    """As people call it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
