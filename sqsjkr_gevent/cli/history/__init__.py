"""`history`: shows how jobs ended."""

from .command import command

__all__ = ["command"]
