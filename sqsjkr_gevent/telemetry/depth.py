"""How many messages the queue and its dead-letter queue hold, asked for at most once a minute."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import gevent
from gevent.event import Event

from ..clock import Clock
from ..errors import QueueError

#: Seconds between two looks: each is a call that costs money, and SQS's figures are not exact.
LOOK_EVERY = 60.0

#: Seconds that somebody who asks first waits for the first figures.
FIRST_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Numbers:
    """Approximate numbers of messages. dead_letters: None where there is no such queue."""

    visible: int
    in_flight: int
    delayed: int
    dead_letters: int | None


@dataclass(frozen=True, slots=True)
class Depth:
    """One look. at: epoch seconds. numbers: None where it failed, and then the error says why."""

    at: float
    numbers: Numbers | None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For JSON, flat."""
        numbers: dict[str, Any] = {field.name: None for field in fields(Numbers)}
        if self.numbers is not None:
            numbers = asdict(self.numbers)
        return {**numbers, "looked_at": self.at, "error": self.error}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> "Depth":
        """The way back."""
        given = dict(told)
        at, error = given.pop("looked_at"), given.pop("error")
        return cls(at, None if given["visible"] is None else Numbers(**given), error)


class QueueDepth:
    """Looks only when somebody asks, so that an idle kicker that nobody watches calls nothing.

    look: asks SQS; None where there is no queue to ask yet. Raises QueueError. clock: the wall's,
    epoch seconds.
    """

    def __init__(self, look: Callable[[], Numbers | None], clock: Clock = time.time) -> None:
        self._look = look
        self._clock = clock
        self._looking = False
        self._looked = Event()
        self._known: Depth | None = None

    def known(self) -> Depth | None:
        """The newest figures, without a look."""
        return self._known

    def learn(self, other: Depth) -> None:
        """What another process of the fleet has seen."""
        if self._known is None or other.at > self._known.at:
            self._known = other

    def ask(self) -> Depth | None:
        """The newest figures; has a look made behind them where they are a minute old."""
        known = self._known
        if not self._looking and (known is None or self._clock() - known.at >= LOOK_EVERY):
            self._looking = True
            gevent.spawn(self._ask_sqs)
        if known is None:
            self._looked.wait(FIRST_WITHIN)
        return self._known

    def _ask_sqs(self) -> None:
        try:
            numbers = self._look()
            if numbers is not None:
                self._known = Depth(self._clock(), numbers)
        except QueueError as error:
            self._known = Depth(self._clock(), None, str(error))
        finally:
            self._looking = False
            self._looked.set()
