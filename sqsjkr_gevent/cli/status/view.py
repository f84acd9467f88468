"""The parts of a kicker's state that `status` and `drain` show. Pure: no requests, no printing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..output.show import NONE, span
from ..output.tables import Column

State = Mapping[str, Any]

_PROCESSES = (
    Column("process"),
    Column("state"),
    Column("busy", right=True),
    Column("slots", right=True),
    Column("up", right=True),
)
_RUNNING = (
    Column("for", right=True),
    Column("pid", right=True),
    Column("event", cut=True),
    Column("lock", cut=True),
    Column("command", cut=True),
)
_WAITING = (
    Column("for", right=True),
    Column("waits for"),
    Column("lock", cut=True),
    Column("holder", cut=True),
    Column("event", cut=True),
    Column("command", cut=True),
)

#: What a job waits for, as text.
_WAITS = {"lock": "its lock", "host": "another host", "group": "its group"}


@dataclass(frozen=True, slots=True)
class Part:
    """A table with its title."""

    title: str
    columns: tuple[Column, ...]
    rows: list[list[str]]


def facts(state: State) -> Iterator[tuple[str, str]]:
    """Names and values: health first, then activity. A name can occur more than once."""
    health = state["health"]
    yield "health", str(health["status"])
    for problem in health["problems"]:
        yield "problem", str(problem)
    for operation, text in health["errors"].items():
        yield "error", f"{operation}: {text}"
    yield "queue", f"{state['queue']}{_depth(state['queue_depth'], state['now'])}"
    yield "kicker", f"{state['host']}, pid {state['main_pid']}, version {state['version']}"
    yield "slots", f"{state['busy']} of {state['slots']} busy"
    yield "jobs", f"{state['waiting']} waiting, {state['prefetched']} prefetched"
    yield "rate", f"{state['rate']:.1f} ended per second"
    yield "waited", _waited(state["waited"])
    ended = (f"{count} {outcome}" for outcome, count in state["invocations"].items())
    yield "ended", ", ".join(ended)


def parts(state: State) -> Iterator[Part]:
    """The tables; those of jobs only if there are any."""
    now = state["now"]
    yield Part("processes", _PROCESSES, [_process(one, now) for one in state["processes"]])
    yield from jobs(state)


def jobs(state: State) -> Iterator[Part]:
    """The tables of running and waiting jobs, oldest first."""
    now = state["now"]
    if state["running"]:
        rows = [_running(one, now) for one in state["running"]]
        yield Part(_title("running", rows, state["busy"]), _RUNNING, rows)
    if state["waiting_jobs"]:
        rows = [_waiting(one, now) for one in state["waiting_jobs"]]
        yield Part(_title("waiting", rows, state["waiting"]), _WAITING, rows)


def _waited(waited: Mapping[str, float | None]) -> str:
    if waited["p50"] is None:
        return NONE
    return f"{span(waited['p50'])} from send to start, 95 % within {span(waited['p95'])}"


def _depth(depth: Mapping[str, Any] | None, now: float) -> str:
    if depth is None:
        return ""
    if depth["error"]:
        return f": number of messages unknown: {depth['error']}"
    dead = "" if depth["dead_letters"] is None else f", {depth['dead_letters']} dead letters"
    return (
        f": about {depth['visible']} visible, {depth['in_flight']} in flight, "
        f"{depth['delayed']} delayed{dead} ({span(now - depth['looked_at'])} ago)"
    )


def _title(name: str, rows: list[list[str]], count: int) -> str:
    return f"{name}: the oldest {len(rows)} of {count}" if len(rows) < count else name


def _process(one: Mapping[str, Any], now: float) -> list[str]:
    return [
        str(one["pid"]),
        one["state"],
        str(one["busy"]),
        str(one["slots"]),
        span(now - one["started_at"]) if one["started_at"] else NONE,
    ]


def _running(one: Mapping[str, Any], now: float) -> list[str]:
    pid = one["pid"]
    return [
        span(now - one["started_at"]),
        NONE if pid is None else str(pid),
        one["event_id"],
        one["lock_id"] or NONE,
        one["command"],
    ]


def _waiting(one: Mapping[str, Any], now: float) -> list[str]:
    return [
        span(now - one["since"]),
        _WAITS.get(one["for"], one["for"]),
        one["lock_id"] or NONE,
        one["holder"] or NONE,
        one["event_id"],
        one["command"],
    ]
