"""`drain`: stops the running kicker."""

from .command import command

__all__ = ["command"]
