"""The metrics as text for Prometheus: counters, histograms and gauges."""

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
    """All metrics as text. counted: from Metrics, or from the files of a fleet."""
    registry = CollectorRegistry()
    registry.register(counted)
    registry.register(_Gauges(states, depth))
    return generate_latest(registry)


class _Gauges(Collector):
    """The gauges, computed at each scrape."""

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
            "Seconds since the last heartbeat; the longest of several processes.",
            value=longest_lag(self._states),
        )
        yield GaugeMetricFamily(
            "sqsjkr_healthy",
            "1 while /healthz returns 200.",
            value=float(one_health(self._states, time.time()).is_well),
        )
        yield GaugeMetricFamily(
            "sqsjkr_processes", "Number of kicker processes.", value=len(self._states)
        )
        version = GaugeMetricFamily("sqsjkr_build_info", "The version.", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        yield from self._depths()

    def _depths(self) -> Iterator[GaugeMetricFamily]:
        numbers = None if self._depth is None else self._depth.numbers
        if numbers is None:
            return
        messages = GaugeMetricFamily(
            "sqsjkr_queue_messages",
            "Approximate number of messages in the queue, at most a minute old.",
            labels=["state"],
        )
        for state in ("visible", "in_flight", "delayed"):
            messages.add_metric([state], getattr(numbers, state))
        yield messages
        if numbers.dead_letters is not None:
            yield GaugeMetricFamily(
                "sqsjkr_dead_letters",
                "Approximate number of messages in the dead-letter queue, at most a minute old.",
                value=numbers.dead_letters,
            )


#: Attribute of ProcessState, metric name, help text.
_GAUGES = (
    ("slots", "sqsjkr_slots", "How many jobs can run at a time."),
    ("busy", "sqsjkr_jobs_running", "Running jobs."),
    ("waiting", "sqsjkr_jobs_waiting", "Jobs waiting for a lock, their group or another host."),
    ("prefetched", "sqsjkr_jobs_prefetched", "Prefetched jobs waiting for a slot."),
)
