"""`dlq`: shows, redrives and deletes messages of the dead-letter queue."""

from .command import command

__all__ = ["command"]
