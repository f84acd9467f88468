"""`check`: checks that everything the config names exists and fits together."""

from .command import command

__all__ = ["command"]
