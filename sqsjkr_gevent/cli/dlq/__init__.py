"""`dlq`: the dead-letter queue."""

from .command import command

__all__ = ["command"]
