"""The life_time_trigger: a command that runs for each job past its life_time."""

from gevent.lock import BoundedSemaphore

from ..duration import format_duration
from ..errors import SqsjkrError, Stopping
from ..job import Job
from ..log import get_logger
from ..process import STOPPED, Runner
from .environment import Environment
from .gotime import format_local
from .run import Run

log = get_logger(__name__)

#: A trigger may run for this many seconds.
TIMEOUT = 60.0


class Trigger:
    """Runs the trigger. command: None for no trigger. parallel: how many at a time at most."""

    def __init__(
        self, command: str | None, runner: Runner, environment: Environment, *, parallel: int
    ) -> None:
        self._command = command
        self._runner = runner
        self._environment = environment
        self._parallel = BoundedSemaphore(parallel)

    def fire(self, run: Run) -> None:
        """Run it for the job of that run, unless the job or the config says not to.

        Its failure is logged. Raises Stopping if the kicker stops before it ends.
        """
        job = run.job
        if self._command is None or not job.life_time_trigger_enabled:
            return
        with self._parallel:
            try:
                process = self._runner.start(
                    self._command, self._environment.of_trigger(job, run.owner), trigger_text(job)
                )
            except SqsjkrError as error:
                log.error("life_time_trigger not started", reason=str(error), **run.names())
                return
            exited = process.wait(TIMEOUT)
        if exited.killed == STOPPED:
            raise Stopping("the kicker stopped during the life_time_trigger")
        if exited.status != 0:
            log.error(
                "life_time_trigger failed",
                reason=exited.killed or str(exited),
                output=exited.output.text(),
                **run.names(),
            )


def trigger_text(job: Job) -> str:
    """The job as sqsjkr describes it to a trigger, byte for byte, with no newline at its end.

    Nothing is escaped: a command of several lines makes several lines.
    """
    return (
        f"job_id:{job.id}, event_id:{job.event_id}, command:{job.command}, "
        f"life_time:{format_duration(job.life_time or 0)}, "
        f"sent_timestamp:{format_local(round(job.sent_at * 1000))}"
    )
