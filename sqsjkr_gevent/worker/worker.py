"""The life of one job, from the receive of its message until that is settled."""

from dataclasses import dataclass

from ..errors import OverLifeTime, SqsjkrError, Stopping
from ..job import Ending, Job, Outcome, cause_of, outcome_of
from ..log import get_logger
from .claims import Claims
from .executor import Executor
from .locks import Locks
from .report import Report
from .run import Run
from .settler import Settler
from .slots import Slots
from .trigger import Trigger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobDefaults:
    """What the config says for a message that does not. timeout: seconds, 0 for none."""

    kill_over_life_time: bool
    timeout: float


class Worker:
    """Takes a run through all of its life, in the greenlet that calls."""

    def __init__(
        self,
        defaults: JobDefaults,
        claims: Claims,
        locks: Locks,
        slots: Slots,
        executor: Executor,
        trigger: Trigger,
        settler: Settler,
        report: Report,
    ) -> None:
        self._defaults = defaults
        self._claims = claims
        self._locks = locks
        self._slots = slots
        self._executor = executor
        self._trigger = trigger
        self._settler = settler
        self._report = report

    def work(self, run: Run) -> None:
        """One message: parse, claim, life time, lock, slot, run, settle, report.

        The caller calls run.let_go() afterwards, whatever this raises.
        """
        ending = self._ending_of(run)
        run.permit.give()
        run.is_over = True
        if ending.over_life_time:
            ending = self._fire_trigger(run, ending)
        self._conclude(run, ending)

    def _ending_of(self, run: Run) -> Ending:
        """Run the job; also what keeps it from running is an ending."""
        ending: Ending | None = None
        try:
            run.job = Job.from_message(
                run.message,
                kill_over_life_time=self._defaults.kill_over_life_time,
                timeout=self._defaults.timeout,
            )
            run.claim = self._claims.claim(run)
            self._settler.check_attempts(run)
            run.check_life_time()
            with self._locks.holding(run) as token, self._slots.occupied(run):
                self._settler.begin(run)
                ending = self._executor.execute(run, token)
        except SqsjkrError as error:
            ending = ending or _not_run(run, error)
        except Exception as error:
            # Once the job has ended, no later fault may have it run again.
            log.exception("unforeseen fault", **run.names())
            ending = ending or Ending(Outcome.RETURNED, repr(error))
        return ending

    def turn_away(self, run: Run, error: SqsjkrError) -> None:
        """Give the message back at once, without parsing it, because of that error."""
        reason = str(error)
        ending = Ending(Outcome.RETURNED, reason, cause_of(error), at_once=True)
        log.info("job returned", reason=reason, **run.names())
        run.is_over = True
        self._conclude(run, ending)

    def _conclude(self, run: Run, ending: Ending) -> None:
        recorded = self._report.record(run, ending)
        self._settler.settle(run, ending, recorded)
        self._report.count(ending)

    def _fire_trigger(self, run: Run, ending: Ending) -> Ending:
        try:
            self._trigger.fire(run)
        except Stopping as error:
            if not run.message.deleted:
                return Ending(Outcome.RETURNED, str(error), cause_of(error), at_once=True)
        return ending


def _not_run(run: Run, error: SqsjkrError) -> Ending:
    outcome = outcome_of(error)
    if outcome is Outcome.RETURNED and run.message.deleted:
        # Only at_most_once deletes first. What then keeps the job from running loses it.
        outcome = Outcome.FAILED
        log.error("job lost after its delete", body=run.message.body, **run.names())
    tell = log.info if outcome in (Outcome.RETURNED, Outcome.DUPLICATE) else log.error
    tell(f"job {outcome.value}", reason=str(error), **run.names())
    return Ending(
        outcome,
        str(error),
        cause_of(error),
        over_life_time=isinstance(error, OverLifeTime),
        at_once=isinstance(error, Stopping),
        error=error,
    )
