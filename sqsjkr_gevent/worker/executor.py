"""Runs a job's command and decides what its end means."""

import signal
from dataclasses import replace

from gevent.event import Event

from ..job import Ending, Outcome
from ..log import get_logger
from ..process import LEASE_LOST, LIFE_TIME_OVER, STOPPED, TIMED_OUT, Exit, Guard, Runner
from ..signals import STOP_SIGNALS
from ..telemetry import Metrics
from ..telemetry.history import MAX_OUTPUT
from .environment import Environment
from .run import Run

log = get_logger(__name__)

#: Statuses of a shell that was killed by SIGKILL, or whose command was.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)

#: Statuses of one that was ended by a signal that stops kickers; see STOP_SIGNALS.
_STOPPED = frozenset(
    status for number in STOP_SIGNALS for status in (-int(number), 128 + int(number))
)

#: Whoever stops a unit or a process group signals all its processes, in no order: the kicker gets
#: the signal within this many seconds of the job.
STOP_SEEN_WITHIN = 1.0


class Executor:
    """Executes jobs, one in each greenlet that calls. stopping: set once the kicker stops."""

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
        """Run the job's command until it ends, reaches a time limit, or loses a lease.

        token: the fencing token of its lock. Raises CannotExecute, HostExhausted or LeaseLost.
        Whatever it raises, no process of the job is left.
        """
        job = run.job
        environment = self._environment.of_job(job, run.owner, token)
        # Check last: nothing comes between the clock and the start.
        run.check_leases()
        started_at = self._guard.now()
        with self._runner.start(job.command, environment) as process, run.running(process):
            # Starting it took time: other greenlets ran, or this whole process stood still.
            run.check_leases()
            run.started_at = run.wall_clock()
            self._metrics.observe_launch(self._guard.now() - started_at)
            log.info("job started", command=job.command, pid=process.pid, **run.names())
            timeout, reason = _limit(run)
            exited = process.wait(timeout, reason)
        output = exited.output.text()
        short = exited.output.shortened(MAX_OUTPUT)
        run.output = output if short is exited.output else short.text()
        run.ran = exited.seconds
        by_others = self._killed_by_others(exited, started_at)
        if by_others is not None:
            exited = replace(exited, killed=by_others)
            process.kill_left_over()
        ending = _ending_of(exited, returnable=not run.message.deleted)
        tell = log.info if ending.outcome is Outcome.SUCCEEDED else log.error
        tell(
            f"job {ending.outcome.value}",
            reason=ending.reason,
            seconds=round(exited.seconds, 3),
            output=output,
            **run.names(),
        )
        return ending

    def _killed_by_others(self, exited: Exit, started_at: float) -> str | None:
        """Why somebody other than the runner killed it, None if nobody did."""
        if exited.killed is not None:
            return None
        if exited.status in _KILLED and self._guard.silent_since(started_at):
            return LEASE_LOST  # This process stood still, and the watcher took it for dead.
        if exited.status in _STOPPED and self._stopping.wait(STOP_SEEN_WITHIN):
            return STOPPED
        return None


def _limit(run: Run) -> tuple[float | None, str]:
    """How many seconds the command may run, and the reason for that limit."""
    timeout = run.job.timeout
    left = run.life_left() if run.job.kill_over_life_time else None
    if left is not None and (timeout is None or left < timeout):
        return left, LIFE_TIME_OVER
    return timeout, TIMED_OUT


def _ending_of(exited: Exit, *, returnable: bool) -> Ending:
    if exited.killed == LIFE_TIME_OVER:
        reason = f"killed over its life_time ({exited})"
        return Ending(
            Outcome.ERRORED, reason, "life_time", over_life_time=True, exit_status=exited.status
        )
    if exited.killed == TIMED_OUT:
        reason = f"killed over its timeout ({exited})"
        return Ending(Outcome.ERRORED, reason, "timeout", exit_status=exited.status)
    if exited.killed in (STOPPED, LEASE_LOST):
        stopped = exited.killed == STOPPED
        why = "the kicker stopped" if stopped else "it lost a lease"
        reason = f"killed because {why} ({exited})"
        outcome = Outcome.RETURNED if returnable else Outcome.ERRORED
        cause = "stop" if stopped else "lease"
        return Ending(outcome, reason, cause, at_once=stopped, exit_status=exited.status)
    outcome = Outcome.ERRORED if exited.status else Outcome.SUCCEEDED
    cause = "signal" if exited.status < 0 else "exit"
    return Ending(outcome, str(exited), cause, exit_status=exited.status)
