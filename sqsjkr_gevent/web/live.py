"""What a kicker does now; and the one answer for all kickers of a fleet."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .. import __version__
from ..clock import Clock
from ..job import Outcome
from ..telemetry import Bucket, Depth, HealthReport, Tally
from ..telemetry.history import STEP
from ..worker import Parts, Run
from .state import ProcessState, RunningJob, WaitingJob

T = TypeVar("T")

#: How many running and how many waiting jobs are listed.
MAX_SHOWN = 200

#: Characters of a command in a list.
MAX_COMMAND = 500

#: Seconds within which a process of a fleet starts.
START_WITHIN = 60.0


class Live:
    """One kicker, read from its parts. main_pid: of the process that signals go to."""

    def __init__(self, parts: Parts, *, clock: Clock = time.time) -> None:
        self._parts = parts
        self._started_at = clock()
        self.main_pid = os.getpid()

    def state(self) -> ProcessState:
        """What it does now."""
        parts = self._parts
        runs = [run for run in parts.runs_alive.values() if not run.is_over]
        waiting = [run for run in runs if run.wait is not None]
        running = sum(run.is_running for run in runs)
        state = parts.health.state
        return ProcessState(
            pid=os.getpid(),
            main_pid=self.main_pid,
            host=socket.gethostname(),
            queue=parts.queue.name,
            state=state,
            started_at=self._started_at,
            health=parts.health.report(),
            busy=parts.slots.busy,
            # A kicker that drains has no slot for anything new.
            slots=parts.slots.busy + (0 if state == "draining" else parts.slots.idle),
            waiting=len(waiting),
            prefetched=len(runs) - len(waiting) - running,
            rate=round(parts.permits.completions_per_second, 2),
            waits=list(parts.waits),
            running=_oldest((_running(run) for run in runs), lambda job: job.started_at),
            waiting_jobs=_oldest((_waiting(run) for run in waiting), lambda job: job.since),
            queue_depth=parts.depth.known(),
        )


def merged(
    states: Sequence[ProcessState], invocations: Mapping[str, int], depth: Depth | None, now: float
) -> dict[str, Any]:
    """One JSON object for all processes; states: at least one, that of the process asked first."""
    first = states[0]
    waits = sorted(wait for state in states for wait in state.waits)
    running = [job for state in states for job in state.running]
    waiting = [job for state in states for job in state.waiting_jobs]
    return {
        "now": now,
        "version": __version__,
        "queue": first.queue,
        "host": first.host,
        "main_pid": first.main_pid,
        "health": one_health(states, now).as_json(),
        "processes": [
            {
                "pid": state.pid,
                "state": state.state,
                "started_at": state.started_at,
                "busy": state.busy,
                "slots": state.slots,
            }
            for state in sorted(states, key=lambda state: state.pid)
        ],
        "slots": sum(state.slots for state in states),
        "busy": sum(state.busy for state in states),
        "waiting": sum(state.waiting for state in states),
        "prefetched": sum(state.prefetched for state in states),
        "rate": sum(state.rate for state in states),
        "invocations": {outcome.value: invocations.get(outcome.value, 0) for outcome in Outcome},
        "waited": {"p50": _quantile(waits, 0.5), "p95": _quantile(waits, 0.95)},
        "running": [job._asdict() for job in _oldest(running, lambda job: job.started_at)],
        "waiting_jobs": [job.as_json() for job in _oldest(waiting, lambda job: job.since)],
        "queue_depth": None if depth is None else depth.as_json(),
    }


def one_health(states: Sequence[ProcessState], now: float) -> HealthReport:
    """One report that names the processes that are not well.

    While one process is well, others may be starting or draining. now: epoch seconds.
    """
    if len(states) == 1:
        return states[0].health
    one_is_well = any(state.health.is_well for state in states)
    received = [state.health.last_successful_receive for state in states]
    return HealthReport(
        problems=[
            f"process {state.pid}: {problem}"
            for state in states
            if not (one_is_well and _comes_or_goes(state, now))
            for problem in state.health.problems
        ],
        last_successful_receive=min((one for one in received if one is not None), default=None),
        heartbeat_lag=longest_lag(states),
        errors={name: text for state in states for name, text in state.health.errors.items()},
    )


def longest_lag(states: Sequence[ProcessState]) -> float:
    """The longest time since a heartbeat, in seconds, of the processes that answer."""
    lags = [state.health.heartbeat_lag for state in states]
    return max((lag for lag in lags if lag is not None), default=0.0)


def _comes_or_goes(state: ProcessState, now: float) -> bool:
    if state.state == "starting":
        return now - state.started_at < START_WITHIN
    return state.state == "draining"


def series(buckets: Mapping[Bucket, Tally]) -> dict[str, Any]:
    """Ended jobs over time, oldest first; `waited` is the mean of a bucket, in seconds."""
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
    """The start of a command, which may have 128 KiB: a list of them is sent each second."""
    return command if len(command) <= MAX_COMMAND else command[:MAX_COMMAND] + " ..."


def _running(run: Run) -> RunningJob | None:
    process, started_at = run.process, run.started_at
    if process is None or started_at is None:
        return None
    return RunningJob(*_job(run), started_at, process.pid, os.getpid())


def _waiting(run: Run) -> WaitingJob | None:
    wait = run.wait
    return None if wait is None else WaitingJob(*_job(run), wait.what, wait.since, wait.holder())


def _job(run: Run) -> tuple[str, str, str | None, str]:
    job, job_id = run.parsed, run.message.id
    if job is None:
        return job_id, job_id, None, ""
    return job_id, job.event_id, job.lock_id, shortened(job.command)


def _oldest(jobs: Iterable[T | None], since: Callable[[T], float]) -> list[T]:
    return sorted((job for job in jobs if job is not None), key=since)[:MAX_SHOWN]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
