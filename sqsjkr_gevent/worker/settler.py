"""Keeps messages invisible from receive to settle, and settles them as the outcome says."""

from ..backoff import doubled, jittered
from ..config.sections import MAX_VISIBILITY
from ..errors import AttemptsExhausted, LeaseLost, QueueError, StoreError
from ..intake import Queue
from ..job import Ending, Settle
from ..log import get_logger
from ..message import Message
from .keeper import Keeper
from .report import Recorded
from .retry import RetryPolicy
from .run import Run

log = get_logger(__name__)

#: A slow history delays the mark of a job as done by at most this many seconds (after a kill
#: meanwhile the job runs again), and the end of its message by at most the second figure (after a
#: kill past that the job has no record).
MARKED_WITHIN = 0.25
RECORDED_WITHIN = 1.0

#: Visibility timeout of a returned message in seconds: after its first receive, and at most.
FIRST_BACK_OFF = 5.0
MAX_BACK_OFF = 300.0

#: Visibility timeout in seconds of an invalid message that has no dead-letter queue to go to, after
#: its first receive. It doubles with each further one, up to SQS's limit.
FIRST_INVALID = 60.0

#: SQS's 12 hours may have begun this many seconds before the message arrived here.
CLOCK_SLACK = 5.0

#: A running job's message is deleted at least this many seconds before SQS's 12 hours end.
LIMIT_MARGIN = 60.0


class Settler:
    """Owns what happens to messages.

    visibility_timeout: seconds. sole_guard: only the visibility timeout keeps other hosts from a
    message, so a job whose message became visible must end.
    at_most_once: delete the message before its command starts.
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
        """Keep the run's message, just received, invisible until it is settled."""
        run.received_at = self._keeper.clock()
        lease = self._keeper.keep(
            "visibility",
            self._visibility_timeout,
            lambda: self._renew(run),
            run.lose if self._sole_guard else lambda what, left: None,
            names=run.names,
        )
        if self._sole_guard:
            run.leases.add(lease)
        run.visibility = lease

    def refresh(self, run: Run, delivered: Message) -> None:
        """The message was delivered again while its run is alive: use the new receipt handle."""
        run.message.receipt_handle = delivered.receipt_handle
        run.message.receive_count = delivered.receive_count
        if run.visibility is not None:
            run.visibility.abandon()
            run.leases.discard(run.visibility)
        self.keep(run)

    def drop(self, delivered: Message, **names: str) -> None:
        """Delete a redelivery of a message that was deleted while its job goes on."""
        try:
            self._queue.delete(delivered)
        except QueueError as error:
            log.warning("redelivery not deleted", reason=str(error), **names)

    def _renew(self, run: Run) -> None:
        left = self._visibility_left(run)
        if left > self._visibility_timeout / 3 + LIMIT_MARGIN:
            self._queue.extend_visibility(run.message, min(self._visibility_timeout, left))
        elif run.is_running:
            log.warning(
                "SQS keeps a message invisible for 12 hours at most; the job runs on without it",
                **run.names(),
            )
            self._queue.delete(run.message)
            run.release_visibility()
        # One that waits becomes visible, and its next delivery starts the 12 hours anew.

    def check_attempts(self, run: Run) -> None:
        """Raises AttemptsExhausted if the job had its last attempt and its message is still there.

        Its dead letter was refused then: it is sent again, and the job does not run again.
        """
        attempt = run.message.receive_count
        if not self._at_most_once and self._retry.is_on and self._retry.is_last(attempt - 1):
            raise AttemptsExhausted(f"attempt {attempt - 1} was the last")

    def begin(self, run: Run) -> None:
        """The command starts next. Raises StoreError or QueueError if it must not."""
        if self._at_most_once:
            if run.claim is not None:
                run.claim.done()
            self._queue.delete(run.message)

    def settle(self, run: Run, ending: Ending, recorded: Recorded) -> None:
        """Do to the message what the outcome asks for; raises nothing if a service fails.

        recorded: waits until the ending is in the history; it is called before the message goes.
        """
        try:
            self._settle(run, ending, recorded)
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

    def _settle(self, run: Run, ending: Ending, recorded: Recorded) -> None:
        how = ending.outcome.settle
        if run.message.deleted:
            self._mark_done(run)
        elif how is Settle.RETURN:
            self._return(run, 0.0 if ending.at_once else _back_off(run), recorded)
        elif how is Settle.DEAD_LETTER:
            self._dead_letter_invalid(run, ending, recorded)
        elif isinstance(ending.error, AttemptsExhausted):
            self._give_up(run, ending.reason, recorded)
        elif self._retry.wants(ending):
            self._retry_later(run, ending, recorded)
        else:
            self._delete(run, recorded)

    def _delete(self, run: Run, recorded: Recorded) -> None:
        # A job that is marked as done never runs again: record it first, if that is quick.
        recorded(MARKED_WITHIN)
        # Mark, then delete: after a crash in between, the message of a done job comes back.
        self._mark_done(run)
        recorded(RECORDED_WITHIN)
        self._queue.delete(run.message)

    def _mark_done(self, run: Run) -> None:
        if run.claim is not None:
            try:
                run.claim.done()
            except StoreError as error:
                log.warning("job not marked as done", reason=str(error), **run.names())

    def _return(self, run: Run, seconds: float, recorded: Recorded) -> None:
        # Release the claim, then the message: its next receiver finds the job free.
        if run.claim is not None:
            try:
                run.claim.release()
            except (StoreError, LeaseLost) as error:
                log.warning("claim not released", reason=str(error), **run.names())
        recorded(RECORDED_WITHIN)
        self._make_visible(run, seconds)

    def _retry_later(self, run: Run, ending: Ending, recorded: Recorded) -> None:
        attempt = run.message.receive_count
        if self._retry.is_last(attempt):
            self._give_up(run, f"{ending.reason}, attempt {attempt} was the last", recorded)
            return
        seconds = self._retry.delay(attempt)
        log.info("job retried later", attempt=attempt, wait=round(seconds), **run.names())
        self._return(run, seconds, recorded)

    def _give_up(self, run: Run, reason: str, recorded: Recorded) -> None:
        """Send it to the dead-letter queue. If that refuses it, try again later, without a run."""
        try:
            sent = self._queue.dead_letter(run.message, reason)
        except QueueError as error:
            log.error("dead letter refused; sent again later", reason=str(error), **run.names())
            self._return(run, _back_off(run), recorded)
            return
        if sent:
            log.error("job sent to the dead-letter queue", reason=reason, **run.names())
        else:
            log.error("job given up", reason=reason, body=run.message.body, **run.names())
        self._delete(run, recorded)

    def _dead_letter_invalid(self, run: Run, ending: Ending, recorded: Recorded) -> None:
        message = run.message
        told = {"reason": ending.reason, "body": message.body, **run.names()}
        try:
            if self._queue.dead_letter(message, ending.reason):
                log.error(
                    "message sent to the dead-letter queue", reason=ending.reason, **run.names()
                )
                self._delete(run, recorded)
                return
        except QueueError as error:
            # It may pass.
            seconds = _back_off(run)
            log.error("dead letter refused; sent again later", refused=str(error), **told)
        else:
            seconds = doubled(FIRST_INVALID, MAX_VISIBILITY, message.receive_count - 1)
            log.error(
                "invalid message stays in the queue, which has no dead-letter queue",
                visible_in=seconds,
                **told,
            )
        recorded(RECORDED_WITHIN)
        self._make_visible(run, seconds)

    def _make_visible(self, run: Run, seconds: float) -> None:
        run.give_back()
        bounded = max(0.0, min(seconds, self._visibility_left(run)))
        self._queue.change_visibility(run.message, bounded)

    def _visibility_left(self, run: Run) -> float:
        """Seconds from now for which SQS can keep the message invisible."""
        return MAX_VISIBILITY - (self._keeper.clock() - run.received_at) - CLOCK_SLACK


def _back_off(run: Run) -> float:
    return jittered(doubled(FIRST_BACK_OFF, MAX_BACK_OFF, run.message.receive_count - 1))
