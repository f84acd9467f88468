"""How messages come in: the queue as a kicker sees it, permits to receive, and the receivers."""

from .circuit import Circuit
from .message_queue import Queue
from .permits import Permit, Permits
from .receivers import Receivers
from .waiting_room import WaitingRoom

__all__ = ["Circuit", "Permit", "Permits", "Queue", "Receivers", "WaitingRoom"]
