"""`history`: the output about an end, and the parsing of times."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from ...config.values import days
from ..output.show import NONE, safe, span, when
from ..output.tables import Column

End = Mapping[str, Any]

END_COLUMNS = (
    Column("ended"),
    Column("job id"),
    Column("outcome"),
    Column("ran", right=True),
    Column("event", cut=True),
    Column("command", cut=True),
    Column("reason", cut=True),
)

_SECONDS = days(0)


def moment(text: str, option: str) -> float:
    """Convert a time, or a duration before now, to epoch seconds. Raises click.UsageError.

    A time without a zone is in this host's zone.
    """
    try:
        return time.time() - float(_SECONDS(text))
    except ValueError:
        pass
    try:
        # Python 3.10 does not accept Z.
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"{option}: expected how long ago, such as 90s, 2h or 7d, or a time, such as "
            f"2026-11-24T10:00, got {text!r}."
        ) from None


def row(end: End) -> list[str]:
    """The cells of END_COLUMNS."""
    return [
        when(end["ended_at"], brief=True),
        end["job_id"],
        end["outcome"],
        span(end["ran"]),
        NONE if end["event_id"] == end["job_id"] else end["event_id"],
        end["command"] or NONE,
        end["reason"],
    ]


def print_end(end: End) -> None:
    """Print everything about an end."""
    status = end["exit_status"]
    lines = {
        "job id": end["job_id"],
        "event": end["event_id"],
        "lock": end["lock_id"] or NONE,
        "command": end["command"] or NONE,
        "outcome": f"{end['outcome']} ({end['cause']}): {end['reason']}",
        "exit status": NONE if status is None else str(status),
        "sent": when(end["sent_at"]),
        "ended": when(end["ended_at"]),
        "waited": span(end["waited"]),
        "ran": span(end["ran"]),
        "attempt": str(end["attempt"]),
        "kicker": f"{end['host']}, pid {end['pid']}",
    }
    for name, value in lines.items():
        print(f"{name:<12}  {safe(value)}")
    if end["output"]:
        print(f"output\n{safe(end['output'], lines=True).rstrip()}")
