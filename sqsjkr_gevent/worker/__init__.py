"""The life of one job, from the receive of its message until that is settled."""

from .keeping import keeping
from .run import Run
from .slots import Slots
from .wiring import Parts
from .worker import Worker

__all__ = ["Parts", "Run", "Slots", "Worker", "keeping"]
