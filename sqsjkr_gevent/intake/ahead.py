"""How many messages to receive ahead: before there is a slot for them."""

import math

from ..clock import Clock
from .rate import Rate

#: Seconds over which jobs are measured. At most as many messages are ahead as jobs end in this
#: time, so that none waits for a slot much longer.
LOOK_BACK = 1.0

#: At most so many messages are ahead for each slot.
MAX_PER_SLOT = 4

#: A receive counts as at most this many times as long as the one before it.
_SLOWER = 1.05

#: The weight of one job in the mean time from the receive of its message to its slot.
_WEIGHT = 1 / 16


class Ahead:
    """Messages take a while until they are at a slot: a receive, and the calls to the stores.

    If at least one job ends in that time, a slot would stand idle. Then as many messages are
    received ahead as jobs end in it. While jobs are long, none is, since another kicker may have a
    free slot for it. slots: their number.
    """

    def __init__(self, slots: int, clock: Clock) -> None:
        self._slots = slots
        self._ended = Rate(LOOK_BACK, clock)
        self._ran = Rate(LOOK_BACK, clock)
        self._receive_time = math.inf
        self._time_to_slot = 0.0

    def number(self, batch: int) -> int:
        """How many, now. batch: so many permits are free before a receive starts."""
        rate = self._rate()
        on_the_way = rate * (self._receive_time + self._time_to_slot)
        if not 1 <= on_the_way < math.inf:
            return 0
        most = min(self._slots * MAX_PER_SLOT, int(rate * LOOK_BACK))
        return min(most, int(on_the_way) + batch)

    def received_in(self, seconds: float) -> None:
        """A receive that found messages waiting took this long."""
        # Near the quickest ones: a slow one may have waited for its messages.
        self._receive_time = min(seconds, self._receive_time * _SLOWER)

    def at_slot_in(self, seconds: float) -> None:
        """A job took this long from its receive to its slot, the waits for others left out."""
        self._time_to_slot += (seconds - self._time_to_slot) * _WEIGHT

    def ended(self, ran: float) -> None:
        """A job has ended. ran: the seconds that it had a slot."""
        self._ended.count()
        self._ran.count(ran)

    def _rate(self) -> float:
        """How many jobs can end each second."""
        # Long jobs that started together end together, and then none does for a while. But slots
        # cannot end more than a second's work each second.
        work = self._ran.per_second()
        return self._ended.per_second() * min(1.0, self._slots / work if work else 1.0)
