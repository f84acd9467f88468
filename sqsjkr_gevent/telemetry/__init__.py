"""Statistics, metrics and history of jobs, the kicker's health, and the queue's depth."""

from .depth import Depth, Numbers, QueueDepth
from .health import Health
from .history import Bucket, End, History, MemoryHistory, Query, Tally
from .metrics import Metrics
from .stats import Stats

__all__ = [
    "Bucket",
    "Depth",
    "End",
    "Health",
    "History",
    "MemoryHistory",
    "Metrics",
    "Numbers",
    "Query",
    "QueueDepth",
    "Stats",
    "Tally",
]
