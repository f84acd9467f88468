"""`locks`: the output about a holder, and the progress of the check whether it is alive."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...duration import format_duration
from ...stores import Holder
from ..output.show import print_note, span
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
    """The holder as JSON."""
    return {
        "lock_id": holder.lock_id,
        "event_id": holder.event_id,
        "holder": holder.owner,
        "since": holder.locked_at,
        "age": _age(holder),
        "lease": holder.lease,
    }


def print_holder(holder: Holder) -> None:
    """Print who holds the lock."""
    _, event, owner, age, lease = row(holder)
    print_note(f"lock {holder.lock_id!r}: event {event}, held by {owner}, for {age}, lease {lease}")
    if holder.lease is None:
        print_note("warning: it has no lease, so its job may still be running")


def question(holder: Holder, force: bool) -> str:
    """The question before a release."""
    if holder.lease is None:
        return "Release it?"
    if force:
        return "Release it, which kills its job if that still runs?"
    return f"Release it, if it is not renewed within {format_duration(holder.lease)}?"


def consequence(holder: Holder, force: bool) -> str:
    """What a release may still cause; empty if nothing."""
    if holder.lease is None or not force:
        return ""
    return (
        f"; if its holder is alive, it notices within {format_duration(holder.lease)} and kills "
        f"its job: another job may run at the same time until it does"
    )


@contextmanager
def progress() -> Iterator[Callable[[float], None]]:
    """Yield a function that shows the seconds left: a line that changes, or one fixed line."""
    if not sys.stderr.isatty():
        shown: list[float] = []

        def once(left: float) -> None:
            if not shown:
                print_note(f"checking for {span(left)} whether its holder renews it")
            shown.append(left)

        yield once
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("") as status:
        yield lambda left: status.update(f"its holder has not renewed it; {left:.0f} s to go")
