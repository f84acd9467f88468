"""Runs one command: starts it, reads its output, ends it and all that it left behind."""

from .guard import Guard
from .launchers import make_launcher
from .runner import LEASE_LOST, LIFE_TIME_OVER, STOPPED, TIMED_OUT, Exit, Process, Runner
from .runs import Runs

__all__ = [
    "LEASE_LOST",
    "LIFE_TIME_OVER",
    "STOPPED",
    "TIMED_OUT",
    "Exit",
    "Guard",
    "Process",
    "Runner",
    "Runs",
    "make_launcher",
]
