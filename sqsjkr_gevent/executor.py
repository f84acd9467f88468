"""Runs a job's command and judges how it ended."""

import signal
from dataclasses import replace

import structlog

from .environment import Environment
from .history import OUTPUT_KEPT
from .metrics import Metrics
from .outcome import Ending, Outcome
from .process.guard import Guard
from .process.runner import LEASE_LOST, LIFE_TIME_OVER, STOPPED, TIMED_OUT, Exit, Runner
from .run import Run

log = structlog.get_logger(__name__)

#: How a shell ends that was killed by SIGKILL, or whose command was.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


class Executor:
    """Executes jobs, one at a time for each greenlet that calls."""

    def __init__(
        self, runner: Runner, environment: Environment, guard: Guard, metrics: Metrics
    ) -> None:
        self._runner = runner
        self._metrics = metrics
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
        run.started_at = run.wall_clock()
        self._metrics.launched(self._guard.now() - started_at)
        log.info("job started", command=job.command, pid=process.pid, **run.names())
        with run.running(process):
            end = process.wait(*_limit(run))
        if end.status in _KILLED and self._guard.silent_since(started_at):
            # Not the job's own end: this process stood still, and the watcher took it for dead.
            end = replace(end, killed=end.killed or LEASE_LOST)
        output = end.output.text()
        kept = end.output.shortened(OUTPUT_KEPT)
        run.output = output if kept is end.output else kept.text()
        run.ran = end.seconds
        ending = _judge(end, returnable=not run.message.deleted)
        tell = log.info if ending.outcome is Outcome.SUCCEEDED else log.error
        tell(
            f"job {ending.outcome.value}",
            reason=ending.reason,
            seconds=round(end.seconds, 3),
            output=output,
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
        reason = f"killed over its life_time ({end})"
        return Ending(
            Outcome.ERRORED, reason, "life_time", over_life_time=True, exit_status=end.status
        )
    if end.killed == TIMED_OUT:
        reason = f"killed over its timeout ({end})"
        return Ending(Outcome.ERRORED, reason, "timeout", exit_status=end.status)
    if end.killed in (STOPPED, LEASE_LOST):
        stopped = end.killed == STOPPED
        reason = f"killed because {'the kicker stopped' if stopped else 'it lost a lease'} ({end})"
        outcome = Outcome.RETURNED if returnable else Outcome.ERRORED
        cause = "stop" if stopped else "lease"
        return Ending(outcome, reason, cause, at_once=stopped, exit_status=end.status)
    outcome = Outcome.ERRORED if end.status else Outcome.SUCCEEDED
    cause = "signal" if end.status < 0 else "exit"
    return Ending(outcome, str(end), cause, exit_status=end.status)
