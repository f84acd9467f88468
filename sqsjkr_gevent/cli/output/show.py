"""Safe texts, times, durations and JSON for the output of commands."""

import json
import sys
import unicodedata
from datetime import datetime, timezone
from typing import Any

from ...duration import format_duration

#: Stands for a missing value.
NONE = "-"


def safe(text: str, *, lines: bool = False) -> str:
    """Escape control characters, so that text from a queue cannot control the terminal.

    lines: keep line breaks and tabs.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        one if one in kept or unicodedata.category(one) not in ("Cc", "Cs", "Cf") else _escape(one)
        for one in text
    )


def when(epoch: float, *, brief: bool = False) -> str:
    """A time in this host's zone, to the second. brief: on a terminal, omit the current year."""
    try:
        local = datetime.fromtimestamp(epoch, timezone.utc).astimezone()
    except (OverflowError, OSError, ValueError):
        return NONE
    this_year = local.year == datetime.now(timezone.utc).astimezone().year
    year = "" if brief and this_year and sys.stdout.isatty() else "%Y-"
    return local.strftime(f"{year}%m-%d %H:%M:%S")


def span(seconds: float | None) -> str:
    """A duration, rounded less the shorter it is; a negative one, from clock skew, is 0s."""
    if seconds is None:
        return NONE
    digits = 0 if seconds >= 10 else 1 if seconds >= 1 else 3
    return format_duration(round(max(0.0, seconds), digits))


def print_json(data: Any) -> None:
    """Print a JSON document."""
    print(json.dumps(data, indent=2))


def print_note(text: str) -> None:
    """Print a line on standard error."""
    print(f"sqsjkr-gevent: {safe(' '.join(text.split()))}", file=sys.stderr)


def _escape(one: str) -> str:
    return one.encode("unicode_escape", "surrogatepass").decode()
