"""Statistics, metrics and history of jobs, the kicker's health, and the queue's depth."""

from .depth import Depth, Numbers, QueueDepth
from .health import Health, HealthReport
from .history import Bucket, History, MemoryHistory, Query, Record, Tally
from .known import known
from .metrics import Metrics
from .stats import Stats

__all__ = [
    "Bucket",
    "Depth",
    "Health",
    "HealthReport",
    "History",
    "MemoryHistory",
    "Metrics",
    "Numbers",
    "Query",
    "QueueDepth",
    "Record",
    "Stats",
    "Tally",
    "known",
]
