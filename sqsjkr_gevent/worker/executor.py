"""Runs a job's command and judges how it ended."""

import signal
from dataclasses import replace

from gevent.event import Event

from ..job import Ending, Outcome
from ..log import get_logger
from ..process import LEASE_LOST, LIFE_TIME_OVER, STOPPED, TIMED_OUT, Exit, Guard, Runner
from ..signals import STOP_SIGNALS
from ..telemetry import Metrics
from ..telemetry.history import OUTPUT_KEPT
from .environment import Environment
from .run import Run

log = get_logger(__name__)

#: How a shell ends that was killed by SIGKILL, or whose command was.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)

#: How one ends that took a stop's signal for its own; see STOP_SIGNALS.
_STOPPED = frozenset(
    status for number in STOP_SIGNALS for status in (-int(number), 128 + int(number))
)

#: Seconds in which a stop is seen here that the job has heard of already: whoever stops a unit or a
#: group sends its signal to all processes, in no order.
STOP_SEEN_WITHIN = 1.0


class Executor:
    """Executes jobs, one at a time for each greenlet that calls. stopping: set by a stop."""

    def __init__(
        self,
        runner: Runner,
        environment: Environment,
        guard: Guard,
        metrics: Metrics,
        stopping: Event,
    ) -> None:
        self._runner = runner
        self._metrics = metrics
        self._environment = environment
        self._guard = guard
        self._stopping = stopping

    def execute(self, run: Run, token: int | None) -> Ending:
        """Run the job's command to its end, its time limits or the loss of a lease.

        token: the fencing token of its lock. Whatever it raises, no process is left: CannotExecute,
        HostExhausted, LeaseLost.
        """
        job = run.job
        environment = self._environment.of_job(job, run.owner, token)
        # Last of all: nothing comes between the clock and the start.
        run.check_leases()
        started_at = self._guard.now()
        with self._runner.start(job.command, environment) as process, run.running(process):
            run.started_at = run.wall_clock()
            self._metrics.launched(self._guard.now() - started_at)
            log.info("job started", command=job.command, pid=process.pid, **run.names())
            end = process.wait(*_limit(run))
        output = end.output.text()
        kept = end.output.shortened(OUTPUT_KEPT)
        run.output = output if kept is end.output else kept.text()
        run.ran = end.seconds
        by_others = self._killed_by_others(end, started_at)
        if by_others is not None:
            end = replace(end, killed=by_others)
            process.kill_left_over()
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

    def _killed_by_others(self, end: Exit, started_at: float) -> str | None:
        """Why others than the runner killed it, None where its end was its own."""
        if end.killed is not None:
            return None
        if end.status in _KILLED and self._guard.silent_since(started_at):
            return LEASE_LOST  # This process stood still, and the watcher took it for dead.
        if end.status in _STOPPED and self._stopping.wait(STOP_SEEN_WITHIN):
            return STOPPED
        return None


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
