"""The six outcomes of a job, and what each does to the counters and to the message."""

from dataclasses import dataclass
from enum import Enum

from ..errors import (
    AlreadyLocked,
    AttemptsExhausted,
    CannotExecute,
    DuplicatedMessage,
    GroupReturned,
    HostExhausted,
    InvalidMessage,
    LeaseLost,
    OverLifeTime,
    QueueError,
    SqsjkrError,
    Stopping,
    StoreError,
)


class Settle(Enum):
    """What happens to the message."""

    DELETE = "delete"
    DEAD_LETTER = "dead-letter"
    RETURN = "return"


class Outcome(Enum):
    """How a job ended; the value is its name in logs and statistics.

    SUCCEEDED: its command exited with 0. ERRORED: its command ran and failed, or was killed.
    FAILED: it never ran, and will not. DUPLICATE: it is done already. INVALID: its message asks
    for no job. RETURNED: its message goes back to the queue, and another run follows.
    """

    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    RETURNED = "returned"

    @property
    def settle(self) -> Settle:
        """What happens to the message on this outcome."""
        return _SETTLE.get(self, Settle.DELETE)


_SETTLE = {Outcome.INVALID: Settle.DEAD_LETTER, Outcome.RETURNED: Settle.RETURN}


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's outcome, and why.

    reason: a few words for the log. cause: one of CAUSES, for counters.
    over_life_time: whether to run the life_time_trigger.
    at_once: for a returned job, whether its message becomes visible at once.
    exit_status: of the command; minus the signal's number if a signal killed it; None: not started.
    error: why the job was not run.
    """

    outcome: Outcome
    reason: str
    cause: str = "fault"
    over_life_time: bool = False
    at_once: bool = False
    exit_status: int | None = None
    error: SqsjkrError | None = None


_OF_ERROR: tuple[tuple[type[SqsjkrError], Outcome, str], ...] = (
    (InvalidMessage, Outcome.INVALID, "body"),
    (DuplicatedMessage, Outcome.DUPLICATE, "done"),
    (OverLifeTime, Outcome.FAILED, "life_time"),
    (AlreadyLocked, Outcome.FAILED, "locked"),
    (CannotExecute, Outcome.FAILED, "cannot_execute"),
    (AttemptsExhausted, Outcome.FAILED, "attempts"),
    (Stopping, Outcome.RETURNED, "stop"),
    (StoreError, Outcome.RETURNED, "store"),
    (HostExhausted, Outcome.RETURNED, "host"),
    (LeaseLost, Outcome.RETURNED, "lease"),
    (GroupReturned, Outcome.RETURNED, "group"),
    (QueueError, Outcome.RETURNED, "queue"),
    (SqsjkrError, Outcome.RETURNED, "fault"),
)

#: Every cause of an ending: the three ways a command fails, and those of errors.
CAUSES = ("exit", "signal", "timeout", *dict.fromkeys(cause for *_, cause in _OF_ERROR))


def outcome_of(error: SqsjkrError) -> Outcome:
    """The outcome of a job that was not run because of this error."""
    return next(outcome for kind, outcome, _ in _OF_ERROR if isinstance(error, kind))


def cause_of(error: SqsjkrError) -> str:
    """The cause, one of CAUSES, of this error."""
    return next(cause for kind, _, cause in _OF_ERROR if isinstance(error, kind))
