"""What is shown over HTTP: all that the web face knows of a kicker."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from prometheus_client.registry import Collector

from ..job import Outcome
from ..telemetry import History
from ..telemetry.history import SERIES_OVER
from ..worker import Parts
from .exposition import exposition
from .live import Live, Member, merged, one_health, series


class Overview:
    """One kicker that is alone. token: what whoever asks has to show; None: nothing."""

    def __init__(self, parts: Parts, live: Live, token: str | None) -> None:
        self.token = token
        self._parts = parts
        self._live = live

    @property
    def host_names(self) -> tuple[str, ...]:
        """Names by which it may be asked, beside those that this host has anyway."""
        return self._parts.host_names

    @property
    def history(self) -> History:
        """The ends of jobs."""
        return self._parts.history

    def slots(self) -> tuple[int, int]:
        """How many are busy, and how many idle."""
        return self._parts.slots.busy, self._parts.slots.idle

    def invocations(self) -> Mapping[str, int]:
        """Ends by outcome."""
        return {outcome.value: self._parts.stats[outcome] for outcome in Outcome}

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether it makes progress, and the details."""
        return one_health(self._members(), time.time())

    def state(self) -> dict[str, Any]:
        """What happens now."""
        members = self._members()
        return merged(members, self.invocations(), self._parts.depth.ask(), time.time())

    def series(self) -> dict[str, Any]:
        """The last hour."""
        return series(self.history.series(time.time() - SERIES_OVER))

    def metrics(self) -> bytes:
        """For Prometheus."""
        members = self._members()
        return exposition(self._counted(), members, self._parts.depth.ask())

    def _members(self) -> Sequence[Member]:
        return [self._live.member()]

    def _counted(self) -> Collector:
        return self._parts.metrics.registry


class Viewed(Protocol):
    """A kicker, or one of a fleet."""

    @property
    def view(self) -> Overview:
        """What is shown of it, or of all of them."""
