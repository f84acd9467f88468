"""Runs a job's command and judges how it ended."""

import signal
from dataclasses import replace

import structlog

from .environment import Environment
from .outcome import Ending, Outcome
from .process.guard import Guard
from .process.runner import LEASE_LOST, LIFE_TIME_OVER, STOPPED, TIMED_OUT, Exit, Runner
from .run import Run

log = structlog.get_logger(__name__)

#: How a shell ends that was killed by SIGKILL, or whose command was.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


class Executor:
    """Executes jobs, one at a time for each greenlet that calls."""

    def __init__(self, runner: Runner, environment: Environment, guard: Guard) -> None:
        self._runner = runner
        self._environment = environment
        self._guard = guard

    def execute(self, run: Run, token: int | None) -> Ending:
        """Run the job's command to its end, its time limits or the loss of a lease.

        token: the fencing token of its lock. Raises CannotExecute, HostExhausted, LeaseLost.
        """
        job = run.job
        run.check_leases()
        started_at = self._guard.now()
        process = self._runner.start(job.command, self._environment.of_job(job, run.owner, token))
        log.info("job started", command=job.command, pid=process.pid, **run.names())
        with run.running(process):
            end = process.wait(*_limit(run))
        if end.status in _KILLED and self._guard.silent_since(started_at):
            # Not the job's own end: this process stood still, and the watcher took it for dead.
            end = replace(end, killed=end.killed or LEASE_LOST)
        ending = _judge(end, returnable=not run.message.deleted)
        tell = log.info if ending.outcome is Outcome.SUCCEEDED else log.error
        tell(
            f"job {ending.outcome.value}",
            reason=ending.reason,
            seconds=round(end.seconds, 3),
            output=end.output.text(),
            **run.names(),
        )
        return ending


def _limit(run: Run) -> tuple[float | None, str]:
    """The seconds that the command may run, and why no longer."""
    timeout = run.job.timeout
    left = run.life_left() if run.job.kill_over_life_time else None
    if left is not None and (timeout is None or left < timeout):
        return left, LIFE_TIME_OVER
    return timeout, TIMED_OUT


def _judge(end: Exit, *, returnable: bool) -> Ending:
    if end.killed == LIFE_TIME_OVER:
        return Ending(Outcome.ERRORED, f"killed over its life_time ({end})", over_life_time=True)
    if end.killed == TIMED_OUT:
        return Ending(Outcome.ERRORED, f"killed over its timeout ({end})", exit_status=end.status)
    if end.killed in (STOPPED, LEASE_LOST):
        why = "the kicker stopped" if end.killed == STOPPED else "it lost a lease"
        outcome = Outcome.RETURNED if returnable else Outcome.ERRORED
        return Ending(outcome, f"killed because {why} ({end})", at_once=end.killed == STOPPED)
    outcome = Outcome.ERRORED if end.status else Outcome.SUCCEEDED
    return Ending(outcome, str(end), exit_status=end.status)
