"""All that the web server knows of a kicker."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from prometheus_client.registry import Collector

from ..job import Outcome
from ..telemetry import HealthReport, History
from ..telemetry.history import SERIES_OVER
from ..worker import Parts
from .exposition import exposition
from .live import Live, merged, one_health, series
from .state import ProcessState


class Overview:
    """A kicker that is alone. token: what a client has to show; None: nothing."""

    def __init__(self, parts: Parts, live: Live, token: str | None) -> None:
        self.token = token
        self._parts = parts
        self._live = live

    @property
    def host_names(self) -> tuple[str, ...]:
        """Names under which it may be requested, besides those that this host has anyway."""
        return self._parts.host_names

    @property
    def history(self) -> History:
        """How jobs ended."""
        return self._parts.history

    def slots(self) -> tuple[int, int]:
        """How many are busy, and how many idle."""
        return self._parts.slots.busy, self._parts.slots.idle

    def invocations(self) -> Mapping[str, int]:
        """How many jobs ended with each outcome."""
        return {outcome.value: self._parts.stats[outcome] for outcome in Outcome}

    def health(self) -> HealthReport:
        """Whether it makes progress."""
        return one_health(self._states(), time.time())

    def state(self) -> dict[str, Any]:
        """What happens now, as JSON."""
        states = self._states()
        return merged(states, self.invocations(), self._parts.depth.ask(), time.time())

    def series(self) -> dict[str, Any]:
        """The last hour, as JSON."""
        return series(self.history.series(time.time() - SERIES_OVER))

    def metrics(self) -> bytes:
        """The text for Prometheus."""
        states = self._states()
        return exposition(self._counted(), states, self._parts.depth.ask())

    def _states(self) -> Sequence[ProcessState]:
        return [self._live.state()]

    def _counted(self) -> Collector:
        return self._parts.metrics.registry


class Viewed(Protocol):
    """A kicker, or one of a fleet."""

    @property
    def view(self) -> Overview:
        """What is shown of it, or of all of them."""
