"""`status`: shows what the running kicker does."""

from .command import command

__all__ = ["command"]
