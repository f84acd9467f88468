"""What commands print: texts that are safe, times, JSON."""

import json
import sys
import unicodedata
from datetime import datetime, timezone
from typing import Any

from ...duration import format_duration

#: What stands where there is no value.
NONE = "-"


def safe(text: str, *, lines: bool = False) -> str:
    """The text with control characters as escapes: what a queue brings must not steer a terminal.

    lines: line breaks and tabs stay.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        one if one in kept or unicodedata.category(one) not in ("Cc", "Cs", "Cf") else _escape(one)
        for one in text
    )


def when(epoch: float, *, brief: bool = False) -> str:
    """A time of this host's zone, to the second; brief: on a terminal, this year's has no year."""
    try:
        local = datetime.fromtimestamp(epoch, timezone.utc).astimezone()
    except (OverflowError, OSError, ValueError):
        return NONE
    this_year = local.year == datetime.now(timezone.utc).astimezone().year
    year = "" if brief and this_year and sys.stdout.isatty() else "%Y-"
    return local.strftime(f"{year}%m-%d %H:%M:%S")


def span(seconds: float | None) -> str:
    """A duration, the finer the shorter it is; below zero, as by a clock that is off, it is 0s."""
    if seconds is None:
        return NONE
    digits = 0 if seconds >= 10 else 1 if seconds >= 1 else 3
    return format_duration(round(max(0.0, seconds), digits))


def print_json(data: Any) -> None:
    """One JSON document."""
    print(json.dumps(data, indent=2))


def tell(text: str) -> None:
    """One line on standard error."""
    print(f"sqsjkr-gevent: {safe(' '.join(text.split()))}", file=sys.stderr)


def _escape(one: str) -> str:
    return one.encode("unicode_escape", "surrogatepass").decode()
