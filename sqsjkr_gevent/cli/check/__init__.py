"""`check`: is everything there that the config names, and does it fit?"""

from .command import command

__all__ = ["command"]
