"""A kicker as a whole: how it starts, lives and stops. Also one job without a queue."""

from .kicker import Kicker
from .once import Once

__all__ = ["Kicker", "Once"]
