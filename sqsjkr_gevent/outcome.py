"""The six ways a job can end, and what each does to the counters and to the message."""

from dataclasses import dataclass
from enum import Enum

from .errors import (
    AlreadyLocked,
    CannotExecute,
    DuplicatedMessage,
    InvalidMessage,
    OverLifeTime,
    SqsjkrError,
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

    reason: a few words for the log.
    over_life_time: whether the life_time_trigger is to be told.
    at_once: for a returned job, whether its message may be seen again at once.
    exit_status: of the command; minus the signal's number where one killed it; None: not started.
    error: what kept the job from being run.
    """

    outcome: Outcome
    reason: str
    over_life_time: bool = False
    at_once: bool = False
    exit_status: int | None = None
    error: SqsjkrError | None = None


_OF_ERROR: tuple[tuple[type[SqsjkrError], Outcome], ...] = (
    (InvalidMessage, Outcome.INVALID),
    (DuplicatedMessage, Outcome.DUPLICATE),
    (OverLifeTime, Outcome.FAILED),
    (AlreadyLocked, Outcome.FAILED),
    (CannotExecute, Outcome.FAILED),
)


def outcome_of(error: SqsjkrError) -> Outcome:
    """The outcome of a job that an error kept from being run: returned, unless it is one of few."""
    return next(
        (outcome for kind, outcome in _OF_ERROR if isinstance(error, kind)), Outcome.RETURNED
    )
