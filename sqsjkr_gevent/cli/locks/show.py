"""`locks`: what is printed of a holder, and of the time that is spent on looking at it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...duration import format_duration
from ...stores import Holder
from ..output.show import span, tell
from ..output.tables import Column

HOLDER_COLUMNS = (
    Column("lock", style="bold"),
    Column("event", cut=True),
    Column("holder"),
    Column("held for", right=True),
    Column("lease", right=True),
)


def _age(holder: Holder) -> float | None:
    return None if holder.locked_at is None else max(0.0, time.time() - holder.locked_at)


def row(holder: Holder) -> list[str]:
    """The cells of HOLDER_COLUMNS."""
    age, lease = _age(holder), holder.lease
    return [
        holder.lock_id,
        holder.event_id,
        holder.owner or "a sqsjkr host",
        "unknown" if age is None else span(age),
        "none" if lease is None else format_duration(lease),
    ]


def as_json(holder: Holder) -> dict[str, object]:
    """The same for programs."""
    return {
        "lock_id": holder.lock_id,
        "event_id": holder.event_id,
        "holder": holder.owner,
        "since": holder.locked_at,
        "age": _age(holder),
        "lease": holder.lease,
    }


def say_who(holder: Holder) -> None:
    """Who it is that holds the lock."""
    _, event, owner, age, lease = row(holder)
    tell(f"lock {holder.lock_id!r}: event {event}, held by {owner}, for {age}, lease {lease}")
    if holder.lease is None:
        tell("warning: it has no lease, so nobody can tell from here whether its job is over")


def question(holder: Holder, force: bool) -> str:
    """What is asked before a release."""
    if holder.lease is None:
        return "Release it?"
    if force:
        return "Release it, and have its job killed where it still runs?"
    return f"Release it, if nobody renews it within {format_duration(holder.lease)}?"


def consequence(holder: Holder, force: bool) -> str:
    """What is said after it."""
    if holder.lease is None or not force:
        return ""
    return (
        f"; if its holder lives, it finds out within {format_duration(holder.lease)} and kills its "
        f"job: until then another may run beside it"
    )


@contextmanager
def progress() -> Iterator[Callable[[float], None]]:
    """What is told of the seconds left: one line that changes, or one line."""
    if not sys.stderr.isatty():
        told: list[float] = []

        def once(left: float) -> None:
            if not told:
                tell(f"looking for {span(left)} whether its holder renews it")
            told.append(left)

        yield once
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("") as status:
        yield lambda left: status.update(f"its holder has not renewed it; {left:.0f} s to go")
