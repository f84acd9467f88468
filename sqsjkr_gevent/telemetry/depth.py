"""The number of messages in the queue and its dead-letter queue, queried at most once a minute."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import gevent
from gevent.event import Event

from ..clock import Clock
from ..errors import QueueError
from .known import known

#: Seconds between two queries: each call costs money, and SQS's numbers are approximate anyway.
QUERY_EVERY = 60.0

#: Seconds that ask() waits for the first numbers.
FIRST_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Numbers:
    """Approximate numbers of messages. dead_letters: None if there is no dead-letter queue."""

    visible: int
    in_flight: int
    delayed: int
    dead_letters: int | None


@dataclass(frozen=True, slots=True)
class Depth:
    """The result of one query. at: epoch seconds. numbers: None if it failed; see `error`."""

    at: float
    numbers: Numbers | None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """A flat JSON object."""
        numbers: dict[str, Any] = {field.name: None for field in fields(Numbers)}
        if self.numbers is not None:
            numbers = asdict(self.numbers)
        return {**numbers, "looked_at": self.at, "error": self.error}

    @classmethod
    def of_json(cls, flat: dict[str, Any]) -> "Depth":
        """The reverse of as_json. Raises KeyError or TypeError if it makes no sense."""
        has_numbers = flat["visible"] is not None
        numbers = Numbers(**known(Numbers, flat)) if has_numbers else None
        return cls(
            **known(cls, {**flat, "at": flat["looked_at"]}, but=["numbers"]), numbers=numbers
        )


class QueueDepth:
    """Queries SQS only on demand, so an idle kicker that nobody watches makes no calls.

    query: queries SQS; returns None if the queue is not open yet. Raises QueueError. clock: epoch
    seconds.
    """

    def __init__(self, query: Callable[[], Numbers | None], clock: Clock = time.time) -> None:
        self._query = query
        self._clock = clock
        self._querying = False
        self._queried = Event()
        self._known: Depth | None = None

    def known(self) -> Depth | None:
        """The newest numbers, without a query."""
        return self._known

    def learn(self, other: Depth) -> None:
        """Take over the result of another process of the fleet, if it is newer."""
        if self._known is None or other.at > self._known.at:
            self._known = other

    def ask(self) -> Depth | None:
        """The newest numbers; if they are a minute old, start a query in the background."""
        known = self._known
        if not self._querying and (known is None or self._clock() - known.at >= QUERY_EVERY):
            self._querying = True
            gevent.spawn(self._ask_sqs)
        if known is None:
            self._queried.wait(FIRST_WITHIN)
        return self._known

    def _ask_sqs(self) -> None:
        try:
            numbers = self._query()
            if numbers is not None:
                self._known = Depth(self._clock(), numbers)
        except QueueError as error:
            self._known = Depth(self._clock(), None, str(error))
        finally:
            self._querying = False
            self._queried.set()
