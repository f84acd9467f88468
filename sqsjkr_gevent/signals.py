"""Signals, handled in the hub for a while, and then given back."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import gevent

#: Signals that ask for a stop; a second one skips the wait for running jobs.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


@contextmanager
def handled(
    numbers: Sequence[signal.Signals], call: Callable[[signal.Signals], None]
) -> Iterator[None]:
    """Have `call` called in a greenlet with each of these signals, for the block.

    Only in the main thread. What handled them before does so again afterwards.
    """
    before = {number: signal.getsignal(number) for number in numbers}
    watchers = [gevent.signal_handler(number, call, number) for number in numbers]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number, handler in before.items():
            if handler is not None:  # None: it was not set from Python, nor can it be.
                signal.signal(number, handler)
