"""`locks`: who holds which lock."""

from .command import command

__all__ = ["command"]
