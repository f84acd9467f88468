"""`send`: sends jobs to the queue."""

from .command import command

__all__ = ["command"]
