"""The config: reads it, checks it, and provides the settings as typed values."""

from .config import Config
from .sections import (
    AccountSection,
    HistorySection,
    KickerSection,
    LockerSection,
    LogSection,
    RedisSection,
    RetrySection,
    SqsSection,
    ThrottlerSection,
)

__all__ = [
    "AccountSection",
    "Config",
    "HistorySection",
    "KickerSection",
    "LockerSection",
    "LogSection",
    "RedisSection",
    "RetrySection",
    "SqsSection",
    "ThrottlerSection",
]
