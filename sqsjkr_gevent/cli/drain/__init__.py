"""`drain`: has the running kicker stop."""

from .command import command

__all__ = ["command"]
