"""Says which promises the history of a fleet breaks. Pure: events in, faults out.

A history is what somebody outside the kickers saw: jobs that record their own begin and end, or the
simulated services and processes of scripts/simulate.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

SENT, BEGUN, ENDED, SETTLED, LOCKED, UNLOCKED = KINDS = (
    "sent",  # the job's message was sent
    "begun",  # its command started
    "ended",  # none of the command's processes is left, however it ended
    "settled",  # the job must not run again: it is marked as done, or its message is gone for good
    "locked",  # the run got the lock
    "unlocked",  # the run gave the lock back
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. kind: one of KINDS. at: seconds, by one clock for all events.

    run: one run of the job, by a name that no other run has; empty if unknown. token: the fencing
    token. group: of a FIFO queue; its jobs run in the order of their "sent".
    """

    kind: str
    at: float
    job: str
    run: str = ""
    kicker: str = ""
    lock_id: str | None = None
    token: int | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken promise. kind: in one word. what: the job, lock or kicker. seconds: how long."""

    kind: str
    what: str
    at: float
    text: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Span:
    """One run of a command. end: infinity if it was never seen to end."""

    begun: Event
    end: float


def check(events: Iterable[Event], *, limit: int | None = None) -> list[Fault]:
    """The broken promises, in order of time.

    events: of equal times in the order in which they happened. limit: how many jobs each kicker
    may run at a time.
    """
    history = sorted(events, key=lambda event: event.at)
    spans = list(_spans(history))
    faults = [
        *_lost(history),
        *_doubled(history),
        *_overlaps(spans),
        *_let_go_early(history, spans),
        *_out_of_order(history),
        *_tokens(history),
        *_over_limit(history, math.inf if limit is None else limit),
    ]
    return sorted(faults, key=lambda fault: fault.at)


def _spans(history: list[Event]) -> Iterator[_Span]:
    running: dict[tuple[str, str], Event] = {}
    for event in history:
        key = (event.job, event.run)
        if event.kind == BEGUN:
            running[key] = event
        elif event.kind == ENDED and key in running:
            yield _Span(running.pop(key), event.at)
    for begun in running.values():
        yield _Span(begun, math.inf)


def _lost(history: list[Event]) -> Iterator[Fault]:
    """A job that was sent is settled in the end."""
    settled = {event.job for event in history if event.kind == SETTLED}
    for event in history:
        if event.kind == SENT and event.job not in settled:
            yield Fault("lost", event.job, event.at, "sent and never settled")


def _doubled(history: list[Event]) -> Iterator[Fault]:
    """A settled job does not run again. The run that settled it may begin after that: at most once
    means that it is settled before.
    """
    settled: dict[str, Event] = {}
    for event in history:
        if event.kind == SETTLED:
            settled.setdefault(event.job, event)
        elif event.kind == BEGUN and event.job in settled:
            by = settled[event.job]
            if not (by.run and by.run == event.run):
                text = f"begun by {_name(event)}, {event.at - by.at:.3f} s after it was settled"
                yield Fault("doubled", event.job, event.at, text)


def _overlaps(spans: list[_Span]) -> Iterator[Fault]:
    """Neither two runs of a job nor two jobs of a lock run at the same time."""
    sharing: dict[str, list[_Span]] = defaultdict(list)
    for span in spans:
        sharing[f"job {span.begun.job}"].append(span)
        if span.begun.lock_id is not None:
            sharing[f"lock {span.begun.lock_id}"].append(span)
    for what, those in sharing.items():
        for one, other in combinations(sorted(those, key=lambda span: span.begun.at), 2):
            seconds = min(one.end, other.end) - other.begun.at
            if seconds > 0:
                text = f"{_name(one.begun)} still runs when {_name(other.begun)} begins"
                yield Fault("overlap", what, other.begun.at, text, seconds)


def _let_go_early(history: list[Event], spans: list[_Span]) -> Iterator[Fault]:
    """A command is over before its lock is given back, and before another run may follow."""
    of_run = {(span.begun.job, span.begun.run): span for span in spans}
    for event in history:
        span = of_run.get((event.job, event.run))
        if event.kind == UNLOCKED and span and span.begun.at < event.at < span.end:
            text = f"{_name(event)} unlocked {event.lock_id} while its command runs"
            yield Fault("early", event.job, event.at, text, span.end - event.at)


def _out_of_order(history: list[Event]) -> Iterator[Fault]:
    """A job of a group begins once all that were sent before it are settled."""
    groups: dict[str, list[str]] = defaultdict(list)
    group_of: dict[str, str] = {}
    settled: set[str] = set()
    for event in history:
        if event.kind == SETTLED:
            settled.add(event.job)
        elif event.kind == SENT and event.group is not None:
            groups[event.group].append(event.job)
            group_of[event.job] = event.group
        elif event.kind == BEGUN and event.job in group_of:
            line = groups[group_of[event.job]]
            first = next((job for job in line if job not in settled), event.job)
            if line.index(first) < line.index(event.job):
                text = f"begun by {_name(event)} before {first} of its group was settled"
                yield Fault("order", event.job, event.at, text)


def _tokens(history: list[Event]) -> Iterator[Fault]:
    """Each holder of a lock gets a higher token than the one before, and no command starts with a
    lower one than the newest holder's.
    """
    highest: dict[str, int] = {}
    for event in history:
        if event.lock_id is None or event.token is None:
            continue
        before = highest.get(event.lock_id, -1)
        grows = event.token > before if event.kind == LOCKED else event.token >= before
        if event.kind in (LOCKED, BEGUN):
            if not grows:
                text = f"{_name(event)} has token {event.token}, after {before}"
                yield Fault("token", event.lock_id, event.at, text)
            highest[event.lock_id] = max(before, event.token)


def _over_limit(history: list[Event], limit: float) -> Iterator[Fault]:
    """A kicker runs no more jobs at a time than it has slots."""
    running: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in history:
        mine = running[event.kicker]
        if event.kind == BEGUN:
            mine.add((event.job, event.run))
            if len(mine) > limit:
                text = f"{len(mine)} jobs run, {limit} may"
                yield Fault("limit", event.kicker, event.at, text)
        elif event.kind == ENDED:
            mine.discard((event.job, event.run))


def _name(event: Event) -> str:
    return " of ".join(filter(None, (event.run or event.job, event.kicker)))
