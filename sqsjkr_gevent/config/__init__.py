"""The config: what may be in the file, how it is read, and the settings as typed values."""

from .config import Config
from .sections import (
    AccountSection,
    HistorySection,
    KickerSection,
    LockerSection,
    LogSection,
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
    "RetrySection",
    "SqsSection",
    "ThrottlerSection",
]
