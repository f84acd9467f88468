"""`send`: jobs into the queue."""

from .command import command

__all__ = ["command"]
