"""Messages are kept invisible from receive to settle, and settled as the job's outcome says."""

import structlog

from .aws.sqs import HIDE_MOST
from .backoff import jittered
from .claims import Claim
from .errors import LeaseLost, QueueError, StoreError
from .keeper import Keeper
from .message import Message
from .outcome import Ending, Settle
from .retry import RetryPolicy
from .run import Run
from .source import Source

log = structlog.get_logger(__name__)

#: Seconds that a returned message is hidden for: after its first receive, and at most.
BACK_OFF_FIRST = 5.0
BACK_OFF_MOST = 300.0

#: Seconds that an invalid message is hidden for where it cannot go to a dead-letter queue: after
#: its first receive; doubled with each further one, up to the most that SQS allows.
INVALID_FIRST = 60.0

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
        queue: Source,
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
        run.visibility = self._keeper.keep(
            "visibility",
            self._visibility_timeout,
            lambda: self._renew(run),
            run.lose if self._sole_guard else lambda what, left: None,
            names=run.names,
        )

    def refresh(self, run: Run, delivered: Message) -> None:
        """The message was delivered again while its run is alive: the new handle is the one."""
        run.message.receipt_handle = delivered.receipt_handle
        run.message.receive_count = delivered.receive_count
        if run.visibility is not None:
            run.visibility.abandon()
        self.keep(run)

    def drop(self, delivered: Message, **names: str) -> None:
        """Delete a redelivery of a message that was deleted before its job, so called, is over."""
        try:
            self._queue.delete(delivered)
        except QueueError as error:
            log.warning("redelivery not deleted", reason=str(error), **names)

    def _renew(self, run: Run) -> None:
        left = HIDE_MOST - (self._keeper.clock() - run.received_at)
        if left > self._visibility_timeout / 3 + LIMIT_MARGIN:
            self._queue.hide_on(run.message, min(self._visibility_timeout, left))
        elif run.is_running:
            log.warning(
                "SQS hides a message no longer than 12 hours; the job runs on without it",
                **run.names(),
            )
            self._queue.delete(run.message)
            run.over()
        # One that waits becomes visible, and its next delivery starts the 12 hours anew.

    def begin(self, run: Run, claim: Claim) -> None:
        """The command starts next. Raises StoreError or QueueError where it must not."""
        if self._at_most_once:
            claim.done()
            self._queue.delete(run.message)

    def settle(self, run: Run, claim: Claim | None, ending: Ending) -> None:
        """Do to the message what the outcome asks for; never raises for a fault of a service."""
        try:
            self._settle(run, claim, ending)
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
        finally:
            run.over()
            if claim is not None:
                # Whatever went wrong, its lease must end, or its redelivery waits for ever.
                claim.abandon()

    def _settle(self, run: Run, claim: Claim | None, ending: Ending) -> None:
        how = ending.outcome.settle
        if run.message.deleted:
            self._mark_done(run, claim)
        elif how is Settle.RETURN:
            self._return(run, claim, 0.0 if ending.at_once else _back_off(run))
        elif how is Settle.DEAD_LETTER:
            self._dead_letter_invalid(run, ending)
        elif self._retry.wants(ending):
            self._retry_later(run, claim, ending)
        else:
            self._delete(run, claim)

    def _delete(self, run: Run, claim: Claim | None) -> None:
        # First the mark, then the delete: a crash in between brings back a job known as done.
        self._mark_done(run, claim)
        self._queue.delete(run.message)

    def _mark_done(self, run: Run, claim: Claim | None) -> None:
        if claim is not None:
            try:
                claim.done()
            except StoreError as error:
                log.warning("job not marked as done", reason=str(error), **run.names())

    def _return(self, run: Run, claim: Claim | None, seconds: float) -> None:
        # First the claim, then the message: whoever receives it next finds it free.
        if claim is not None:
            try:
                claim.release()
            except (StoreError, LeaseLost) as error:
                log.warning("claim not released", reason=str(error), **run.names())
        run.over()
        self._queue.hide(run.message, seconds)

    def _retry_later(self, run: Run, claim: Claim | None, ending: Ending) -> None:
        attempt = run.message.receive_count
        if not self._retry.exhausted(attempt):
            seconds = self._retry.delay(attempt)
            log.info("job retried later", attempt=attempt, wait=round(seconds), **run.names())
            self._return(run, claim, seconds)
            return
        reason = f"{ending.reason}, attempt {attempt} was the last"
        if self._queue.dead_letter(run.message, reason):
            log.error("job sent to the dead-letter queue", reason=reason, **run.names())
        else:
            log.error("job given up", reason=reason, body=run.message.body, **run.names())
        self._delete(run, claim)

    def _dead_letter_invalid(self, run: Run, ending: Ending) -> None:
        message = run.message
        if self._queue.dead_letter(message, ending.reason):
            log.error("message sent to the dead-letter queue", reason=ending.reason, **run.names())
            self._queue.delete(message)
            return
        seconds = min(HIDE_MOST, INVALID_FIRST * 2.0 ** min(message.receive_count - 1, 16))
        log.error(
            "invalid message stays in the queue, which has no dead-letter queue",
            reason=ending.reason,
            hidden_for=seconds,
            body=message.body,
            **run.names(),
        )
        run.over()
        self._queue.hide(message, seconds)


def _back_off(run: Run) -> float:
    return jittered(
        min(BACK_OFF_MOST, BACK_OFF_FIRST * 2.0 ** min(run.message.receive_count - 1, 16))
    )
