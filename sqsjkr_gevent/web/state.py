"""The current state of one process: typed, and convertible to JSON and back."""

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from ..telemetry import Depth, HealthReport, known


class RunningJob(NamedTuple):
    """A job whose command runs.

    event_id: the job_id if the body has none. started_at: epoch seconds. pid: of the command.
    process: of its kicker.
    """

    job_id: str
    event_id: str
    lock_id: str | None
    command: str
    started_at: float
    pid: int
    process: int


class WaitingJob(NamedTuple):
    """A job that waits for its lock, its group, or another host.

    event_id: the job_id if the body has none, or is not parsed yet. what, since, holder: as in
    run.Wait; `what` is called `for` in JSON.
    """

    job_id: str
    event_id: str
    lock_id: str | None
    command: str
    what: str
    since: float
    holder: str | None

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        job = self._asdict()
        job["for"] = job.pop("what")
        return job

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> "WaitingJob":
        """The way back."""
        named = {"what" if name == "for" else name: value for name, value in job.items()}
        return cls(**known(cls, named))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """What one process of a kicker does now. Times are epoch seconds.

    main_pid: of the process that signals go to. busy, slots: see Slots. prefetched: jobs received
    ahead that wait for a slot. rate: ended jobs per second. waits: seconds that each of the last
    started jobs had waited. running, waiting_jobs: the oldest ones.
    """

    pid: int
    health: HealthReport
    main_pid: int = 0
    host: str = ""
    queue: str = ""
    state: str = "silent"
    started_at: float = 0.0
    busy: int = 0
    slots: int = 0
    waiting: int = 0
    prefetched: int = 0
    rate: float = 0.0
    waits: list[float] = field(default_factory=list)
    running: list[RunningJob] = field(default_factory=list)
    waiting_jobs: list[WaitingJob] = field(default_factory=list)
    queue_depth: Depth | None = None

    @classmethod
    def silent(cls, pid: int) -> "ProcessState":
        """The state of a process that does not answer."""
        health = HealthReport(
            problems=["does not answer"],
            last_successful_receive=None,
            heartbeat_lag=None,
            errors={},
        )
        return cls(pid=pid, health=health)

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "health": self.health.as_json(),
            "running": [job._asdict() for job in self.running],
            "waiting_jobs": [job.as_json() for job in self.waiting_jobs],
            "queue_depth": None if self.queue_depth is None else self.queue_depth.as_json(),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "ProcessState":
        """The way back. What this version does not know is dropped: others may be newer.

        Raises KeyError, TypeError or AttributeError for what is no state.
        """
        depth = told["queue_depth"]
        return cls(
            **known(cls, told, but=_PARTS),
            health=HealthReport.from_json(told["health"]),
            running=[RunningJob(**known(RunningJob, job)) for job in told["running"]],
            waiting_jobs=[WaitingJob.from_json(job) for job in told["waiting_jobs"]],
            queue_depth=None if depth is None else Depth.of_json(depth),
        )


#: Fields that have a way to JSON of their own.
_PARTS = ("health", "running", "waiting_jobs", "queue_depth")
_PLAIN = [one.name for one in fields(ProcessState) if one.name not in _PARTS]
