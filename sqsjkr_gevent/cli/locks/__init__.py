"""`locks`: shows and releases locks."""

from .command import command

__all__ = ["command"]
