"""The text that Prometheus reads: what was counted, and what can be seen at this moment."""

import time
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from .. import __version__
from ..telemetry import Depth
from .live import longest_lag, one_health
from .state import ProcessState

#: https://prometheus.io/docs/instrumenting/exposition_formats/
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(counted: Collector, states: Sequence[ProcessState], depth: Depth | None) -> bytes:
    """All metrics as text. counted: of Metrics, or of the files of a fleet."""
    registry = CollectorRegistry()
    registry.register(counted)
    registry.register(_Now(states, depth))
    return generate_latest(registry)


class _Now(Collector):
    """Gauges."""

    def __init__(self, states: Sequence[ProcessState], depth: Depth | None) -> None:
        self._states = states
        self._depth = depth

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See Collector."""
        for key, name, what in _GAUGES:
            yield GaugeMetricFamily(
                name, what, value=sum(float(getattr(state, key)) for state in self._states)
            )
        yield GaugeMetricFamily(
            "sqsjkr_heartbeat_lag_seconds",
            "Since the last heartbeat; of several processes, the longest.",
            value=longest_lag(self._states),
        )
        yield GaugeMetricFamily(
            "sqsjkr_healthy",
            "1 while /healthz answers 200.",
            value=float(one_health(self._states, time.time()).is_well),
        )
        yield GaugeMetricFamily(
            "sqsjkr_processes", "Processes that run a kicker.", value=len(self._states)
        )
        version = GaugeMetricFamily("sqsjkr_build_info", "Its version.", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        yield from self._depths()

    def _depths(self) -> Iterator[GaugeMetricFamily]:
        numbers = None if self._depth is None else self._depth.numbers
        if numbers is None:
            return
        messages = GaugeMetricFamily(
            "sqsjkr_queue_messages",
            "About how many messages the queue holds, at most a minute ago.",
            labels=["state"],
        )
        for state in ("visible", "in_flight", "delayed"):
            messages.add_metric([state], getattr(numbers, state))
        yield messages
        if numbers.dead_letters is not None:
            yield GaugeMetricFamily(
                "sqsjkr_dead_letters",
                "About how many messages the dead-letter queue holds, at most a minute ago.",
                value=numbers.dead_letters,
            )


#: Attribute of ProcessState, name, meaning.
_GAUGES = (
    ("slots", "sqsjkr_slots", "Most jobs that run at a time."),
    ("busy", "sqsjkr_jobs_running", "Jobs that run."),
    ("waiting", "sqsjkr_jobs_waiting", "Jobs that wait for a lock, their group or another host."),
    ("prefetched", "sqsjkr_jobs_prefetched", "Jobs received ahead that wait for a slot."),
)
