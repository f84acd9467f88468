"""Runs commands: starts them, reads their output, and ends them with all their processes."""

from .guard import Guard
from .launchers import make_launcher
from .process import LEASE_LOST, LIFE_TIME_OVER, STOPPED, TIMED_OUT, Exit, Process
from .runner import Runner
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
