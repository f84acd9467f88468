"""Signals that ask for nothing: left to whoever has a use for them."""

import signal

from sqsjkr_gevent.signals import STRAY, deadly


def test_a_signal_that_the_program_handles_or_ignores_is_left_to_it():
    """A program that a kicker is a part of may rotate its log by one."""
    before = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        assert set(STRAY) - {signal.SIGUSR1, signal.SIGUSR2} == set(deadly(STRAY))
    finally:
        signal.signal(signal.SIGUSR1, before[0])
        signal.signal(signal.SIGUSR2, before[1])
