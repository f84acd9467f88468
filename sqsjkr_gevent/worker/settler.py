"""Messages are kept invisible from receive to settle, and settled as the job's outcome says."""

from collections.abc import Callable

from ..aws.sqs import MAX_VISIBILITY
from ..backoff import jittered
from ..errors import AttemptsExhausted, LeaseLost, QueueError, StoreError
from ..intake import Queue
from ..job import Ending, Settle
from ..log import get_logger
from ..message import Message
from .keeper import Keeper
from .retry import RetryPolicy
from .run import Run

log = get_logger(__name__)

#: Waits until the end of a job is in the history, at most so many seconds.
Kept = Callable[[float], None]

#: Seconds by which a slow history puts off the mark of a job as done: a kill meanwhile has it run
#: again. And by which it puts off the end of the message: a kill after that loses the job's end.
MARKED_WITHIN = 0.25
KEPT_WITHIN = 1.0

#: Seconds that a returned message is hidden for: after its first receive, and at most.
BACK_OFF_FIRST = 5.0
MAX_BACK_OFF = 300.0

#: Seconds that an invalid message is hidden for where it cannot go to a dead-letter queue: after
#: its first receive; doubled with each further one, up to the most that SQS allows.
INVALID_FIRST = 60.0

#: Seconds by which SQS's 12 hours may have begun before a message was here.
CLOCK_SLACK = 5.0

#: Seconds before the end of SQS's 12 hours in which a running job's message can still be deleted.
LIMIT_MARGIN = 60.0


class Settler:
    """Owns the messages' side of runs.

    visibility_timeout: seconds. sole_guard: whether visibility alone keeps other hosts from a
    message, so that a job whose message became visible must end.
    at_most_once: delete before the command starts.
    """

    def __init__(
        self,
        queue: Queue,
        keeper: Keeper,
        *,
        visibility_timeout: float,
        retry: RetryPolicy,
        sole_guard: bool,
        at_most_once: bool,
    ) -> None:
        self._queue = queue
        self._keeper = keeper
        self._visibility_timeout = visibility_timeout
        self._retry = retry
        self._sole_guard = sole_guard
        self._at_most_once = at_most_once

    def keep(self, run: Run) -> None:
        """Keep the run's message, received just now, invisible until it is settled."""
        run.received_at = self._keeper.clock()
        kept = self._keeper.keep(
            "visibility",
            self._visibility_timeout,
            lambda: self._renew(run),
            run.lose if self._sole_guard else lambda what, left: None,
            names=run.names,
        )
        if self._sole_guard:
            run.leases.add(kept)
        run.visibility = kept

    def refresh(self, run: Run, delivered: Message) -> None:
        """The message was delivered again while its run is alive: the new handle is the one."""
        run.message.receipt_handle = delivered.receipt_handle
        run.message.receive_count = delivered.receive_count
        if run.visibility is not None:
            run.visibility.abandon()
            run.leases.discard(run.visibility)
        self.keep(run)

    def drop(self, delivered: Message, **names: str) -> None:
        """Delete a redelivery of a message that was deleted before its job, so called, is over."""
        try:
            self._queue.delete(delivered)
        except QueueError as error:
            log.warning("redelivery not deleted", reason=str(error), **names)

    def _renew(self, run: Run) -> None:
        left = self._can_be_hidden(run)
        if left > self._visibility_timeout / 3 + LIMIT_MARGIN:
            self._queue.extend_visibility(run.message, min(self._visibility_timeout, left))
        elif run.is_running:
            log.warning(
                "SQS hides a message no longer than 12 hours; the job runs on without it",
                **run.names(),
            )
            self._queue.delete(run.message)
            run.over()
        # One that waits becomes visible, and its next delivery starts the 12 hours anew.

    def check_attempts(self, run: Run) -> None:
        """Raises AttemptsExhausted for a job that had its last attempt, and is still there.

        Its dead letter was refused then: it is tried again, the job is not.
        """
        attempt = run.message.receive_count
        if not self._at_most_once and self._retry.is_on and self._retry.exhausted(attempt - 1):
            raise AttemptsExhausted(f"attempt {attempt - 1} was the last")

    def begin(self, run: Run) -> None:
        """The command starts next. Raises StoreError or QueueError where it must not."""
        if self._at_most_once:
            if run.claim is not None:
                run.claim.done()
            self._queue.delete(run.message)

    def settle(self, run: Run, ending: Ending, kept: Kept) -> None:
        """Do to the message what the outcome asks for; never raises for a fault of a service.

        kept: waits until the end is in the history, which is before the message goes.
        """
        try:
            self._settle(run, ending, kept)
            log.debug("job settled", outcome=ending.outcome.value, **run.names())
        except LeaseLost as error:
            log.error("another host has the job now", reason=str(error), **run.names())
        except QueueError as error:
            log.warning(
                "message not settled; it comes back when its visibility timeout ends",
                outcome=ending.outcome.value,
                reason=str(error),
                **run.names(),
            )

    def _settle(self, run: Run, ending: Ending, kept: Kept) -> None:
        how = ending.outcome.settle
        if run.message.deleted:
            self._mark_done(run)
        elif how is Settle.RETURN:
            self._return(run, 0.0 if ending.at_once else _back_off(run), kept)
        elif how is Settle.DEAD_LETTER:
            self._dead_letter_invalid(run, ending, kept)
        elif isinstance(ending.error, AttemptsExhausted):
            self._give_up(run, ending.reason, kept)
        elif self._retry.wants(ending):
            self._retry_later(run, ending, kept)
        else:
            self._delete(run, kept)

    def _delete(self, run: Run, kept: Kept) -> None:
        # A job that is known as done never ends again, so its end is kept before, if that is quick.
        kept(MARKED_WITHIN)
        # First the mark, then the delete: a crash in between brings back a job known as done.
        self._mark_done(run)
        kept(KEPT_WITHIN)
        self._queue.delete(run.message)

    def _mark_done(self, run: Run) -> None:
        if run.claim is not None:
            try:
                run.claim.done()
            except StoreError as error:
                log.warning("job not marked as done", reason=str(error), **run.names())

    def _return(self, run: Run, seconds: float, kept: Kept) -> None:
        # First the claim, then the message: whoever receives it next finds it free.
        if run.claim is not None:
            try:
                run.claim.release()
            except (StoreError, LeaseLost) as error:
                log.warning("claim not released", reason=str(error), **run.names())
        kept(KEPT_WITHIN)
        self._show_again(run, seconds)

    def _retry_later(self, run: Run, ending: Ending, kept: Kept) -> None:
        attempt = run.message.receive_count
        if self._retry.exhausted(attempt):
            self._give_up(run, f"{ending.reason}, attempt {attempt} was the last", kept)
            return
        seconds = self._retry.delay(attempt)
        log.info("job retried later", attempt=attempt, wait=round(seconds), **run.names())
        self._return(run, seconds, kept)

    def _give_up(self, run: Run, reason: str, kept: Kept) -> None:
        """To the dead-letter queue; where that refuses it, once more later, without a run."""
        try:
            sent = self._queue.dead_letter(run.message, reason)
        except QueueError as error:
            log.error("dead letter refused; sent again later", reason=str(error), **run.names())
            self._return(run, _back_off(run), kept)
            return
        if sent:
            log.error("job sent to the dead-letter queue", reason=reason, **run.names())
        else:
            log.error("job given up", reason=reason, body=run.message.body, **run.names())
        self._delete(run, kept)

    def _dead_letter_invalid(self, run: Run, ending: Ending, kept: Kept) -> None:
        message = run.message
        told = {"reason": ending.reason, "body": message.body, **run.names()}
        try:
            if self._queue.dead_letter(message, ending.reason):
                log.error(
                    "message sent to the dead-letter queue", reason=ending.reason, **run.names()
                )
                self._delete(run, kept)
                return
        except QueueError as error:
            # It may be for a moment only.
            seconds = _back_off(run)
            log.error("dead letter refused; sent again later", refused=str(error), **told)
        else:
            seconds = min(MAX_VISIBILITY, INVALID_FIRST * 2.0 ** min(message.receive_count - 1, 16))
            log.error(
                "invalid message stays in the queue, which has no dead-letter queue",
                hidden_for=seconds,
                **told,
            )
        kept(KEPT_WITHIN)
        self._show_again(run, seconds)

    def _show_again(self, run: Run, seconds: float) -> None:
        run.give_back()
        self._queue.change_visibility(run.message, max(0.0, min(seconds, self._can_be_hidden(run))))

    def _can_be_hidden(self, run: Run) -> float:
        """Seconds for which SQS hides the message at most, from now."""
        return MAX_VISIBILITY - (self._keeper.clock() - run.received_at) - CLOCK_SLACK


def _back_off(run: Run) -> float:
    return jittered(
        min(MAX_BACK_OFF, BACK_OFF_FIRST * 2.0 ** min(run.message.receive_count - 1, 16))
    )
