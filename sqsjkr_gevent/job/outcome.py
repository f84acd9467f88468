"""The six ways a job can end, and what each does to the counters and to the message."""

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
    """What becomes of the message."""

    DELETE = "delete"
    DEAD_LETTER = "dead-letter"
    RETURN = "return"


class Outcome(Enum):
    """How a job ended; the value is its name in logs and statistics."""

    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    RETURNED = "returned"

    @property
    def settle(self) -> Settle:
        """What the outcome does to the message."""
        return _SETTLE.get(self, Settle.DELETE)


_SETTLE = {Outcome.INVALID: Settle.DEAD_LETTER, Outcome.RETURNED: Settle.RETURN}


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's outcome and why.

    reason: a few words for the log. cause: one of CAUSES, for counters.
    over_life_time: whether the life_time_trigger is to be told.
    at_once: for a returned job, whether its message may be seen again at once.
    exit_status: of the command; minus the signal's number where one killed it; None: not started.
    error: what kept the job from being run.
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

#: Every cause of an ending: those of errors, and how a command ends.
CAUSES = ("exit", "signal", "timeout", *dict.fromkeys(cause for *_, cause in _OF_ERROR))


def outcome_of(error: SqsjkrError) -> Outcome:
    """The outcome of a job that an error kept from being run."""
    return next(outcome for kind, outcome, _ in _OF_ERROR if isinstance(error, kind))


def cause_of(error: SqsjkrError) -> str:
    """The one of CAUSES that an error is."""
    return next(cause for kind, _, cause in _OF_ERROR if isinstance(error, kind))
