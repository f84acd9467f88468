"""The time of a log line."""

from datetime import datetime, timezone
from functools import lru_cache


def timestamp(at: int) -> str:
    """As `2026-11-28T10:50:29.000123Z`. at: nanoseconds since the epoch."""
    second, nanoseconds = divmod(at, 1_000_000_000)
    return f"{_to_the_second(second)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=4)  # Most lines are of the same second as the one before.
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).isoformat().removesuffix("+00:00")
