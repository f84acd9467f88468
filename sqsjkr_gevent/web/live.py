"""What a kicker does at this moment, as JSON; and of several kickers, one answer."""

import os
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .. import __version__
from ..clock import Clock
from ..intake import Permits
from ..job import Outcome
from ..telemetry import Bucket, Depth, Health, QueueDepth, Tally
from ..telemetry.history import STEP
from ..worker import Run, Slots

#: Jobs that run, and jobs that wait, that are told one by one.
MAX_SHOWN = 200

#: Characters of a command in a list.
COMMAND_SHOWN = 500

#: Seconds within which a process of a fleet starts.
START_WITHIN = 60.0

#: What one process tells: a JSON object.
Member = dict[str, Any]


class Live:
    """One kicker. runs: those alive, by message id. clock: the wall's, epoch seconds.

    waits: of the last jobs that started, in seconds. main_pid: of the process that signals go to.
    """

    def __init__(
        self,
        queue: str,
        slots: Slots,
        permits: Permits,
        health: Health,
        depth: QueueDepth,
        waits: Collection[float],
        runs: Mapping[str, Run],
        *,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._slots = slots
        self._permits = permits
        self._health = health
        self._depth = depth
        self._runs = runs
        self._clock = clock
        self._started_at = clock()
        self._waits = waits
        self.main_pid = os.getpid()

    def member(self) -> Member:
        """All of it."""
        well, health = self._health.report()
        runs = [run for run in self._runs.values() if not run.ended]
        waiting = [run for run in runs if run.wait is not None]
        known = self._depth.known()
        state = self._health.state
        return {
            "pid": os.getpid(),
            "main_pid": self.main_pid,
            "host": socket.gethostname(),
            "queue": self._queue,
            "state": state,
            "started_at": self._started_at,
            "well": well,
            "health": health,
            "busy": self._slots.busy,
            # One that drains has no slot for anything new.
            "slots": self._slots.busy + (0 if state == "draining" else self._slots.idle),
            "waiting": len(waiting),
            "held": len(runs) - len(waiting) - sum(run.process is not None for run in runs),
            "rate": round(self._permits.completions_per_second, 2),
            "waits": list(self._waits),
            "running": [_running(run) for run in _oldest(runs, _started)],
            "waiting_jobs": [_waiting(run) for run in _oldest(waiting, _since)],
            "queue_depth": None if known is None else known.as_json(),
        }


def merged(
    members: Sequence[Member], invocations: Mapping[str, int], depth: Depth | None, now: float
) -> dict[str, Any]:
    """One answer for all of them; members: at least one, that of whoever answers first."""
    first = members[0]
    waits = sorted(wait for member in members for wait in member["waits"])
    return {
        "now": now,
        "version": __version__,
        "queue": first["queue"],
        "host": first["host"],
        "main_pid": first["main_pid"],
        "health": one_health(members, now)[1],
        "processes": [
            {key: member[key] for key in ("pid", "state", "started_at", "busy", "slots")}
            for member in sorted(members, key=lambda member: int(member["pid"]))
        ],
        **{
            key: sum(member[key] for member in members)
            for key in ("slots", "busy", "waiting", "held", "rate")
        },
        "invocations": {outcome.value: invocations.get(outcome.value, 0) for outcome in Outcome},
        "waited": {"p50": _quantile(waits, 0.5), "p95": _quantile(waits, 0.95)},
        "running": _first((job for member in members for job in member["running"]), "started_at"),
        "waiting_jobs": _first(
            (job for member in members for job in member["waiting_jobs"]), "since"
        ),
        "queue_depth": None if depth is None else depth.as_json(),
    }


def one_health(members: Sequence[Member], now: float) -> tuple[bool, dict[str, Any]]:
    """Whether all of them are well, and one report that says which of them is not.

    While one is well, others may be on their way in or out. now: epoch seconds.
    """
    if len(members) == 1:
        return members[0]["well"], members[0]["health"]
    one_is_well = any(member["well"] for member in members)
    ill = [m for m in members if not m["well"] and not (one_is_well and _on_its_way(m, now))]
    reports = [member["health"] for member in members]
    problems = [
        f"process {member['pid']}: {problem}"
        for member in ill
        for problem in member["health"]["problems"]
    ]
    well = not ill
    received = [report["last_successful_receive"] for report in reports]
    return well, {
        "status": "ok" if well else "failing",
        "problems": problems,
        "last_successful_receive": min((one for one in received if one is not None), default=None),
        "heartbeat_lag": longest_lag(members),
        "errors": {name: text for report in reports for name, text in report["errors"].items()},
    }


def longest_lag(members: Sequence[Member]) -> float:
    """Seconds since the heartbeat of the one whose is the oldest, of those that answer."""
    lags = [member["health"]["heartbeat_lag"] for member in members]
    return float(max((lag for lag in lags if lag is not None), default=0.0))


def _on_its_way(member: Member, now: float) -> bool:
    if member["state"] == "starting":
        return bool(now - member["started_at"] < START_WITHIN)
    return bool(member["state"] == "draining")


def series(buckets: Mapping[Bucket, Tally]) -> dict[str, Any]:
    """Ends over time, oldest first; `waited` is the mean of a bucket's, in seconds."""
    rows: dict[int, dict[str, Any]] = {}
    waited: dict[int, Tally] = {}
    for (at, outcome), tally in sorted(buckets.items()):
        row = rows.setdefault(at, {"at": at, **{outcome.value: 0 for outcome in Outcome}})
        row[outcome] = tally.ends
        waited.setdefault(at, Tally()).add(tally.waited, tally.ends)
    for at, row in rows.items():
        row["waited"] = round(waited[at].waited / waited[at].ends, 3)
    return {"step": STEP, "buckets": list(rows.values())}


def shortened(command: str) -> str:
    """The start of a command: it may have 128 KiB, and a list of them is told each second."""
    return command if len(command) <= COMMAND_SHOWN else command[:COMMAND_SHOWN] + " ..."


def _running(run: Run) -> dict[str, Any]:
    process = run.process
    return _job(run) | {
        "started_at": run.started_at,
        "pid": None if process is None else process.pid,
        "process": os.getpid(),
    }


def _waiting(run: Run) -> dict[str, Any]:
    wait = run.wait
    assert wait is not None
    return _job(run) | {"since": wait.since, "for": wait.what, "holder": wait.holder()}


def _job(run: Run) -> dict[str, Any]:
    job, job_id = run.parsed, run.message.id
    if job is None:
        return {"job_id": job_id, "event_id": job_id, "lock_id": None, "command": ""}
    return {
        "job_id": job_id,
        "event_id": job.event_id,
        "lock_id": job.lock_id,
        "command": shortened(job.command),
    }


def _started(run: Run) -> float | None:
    return run.started_at if run.process is not None else None


def _since(run: Run) -> float | None:
    return None if run.wait is None else run.wait.since


def _oldest(runs: Collection[Run], time_of: Any) -> list[Run]:
    timed = [(at, number, run) for number, run in enumerate(runs) if (at := time_of(run))]
    return [run for *_, run in sorted(timed)[:MAX_SHOWN]]


def _first(jobs: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(jobs, key=lambda job: float(job[key]))[:MAX_SHOWN]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
