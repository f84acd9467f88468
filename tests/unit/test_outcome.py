"""The table of outcomes: what keeps a job from running, how it counts, what its message does."""

import pytest

from sqsjkr_gevent import errors
from sqsjkr_gevent.job import Outcome, Settle, outcome_of


@pytest.mark.parametrize(
    ("outcome", "settle"),
    [
        ("succeeded", "delete"),
        ("errored", "delete"),
        ("failed", "delete"),
        ("duplicate", "delete"),
        ("invalid", "dead-letter"),
        ("returned", "return"),
    ],
)
def test_what_an_outcome_does_to_its_message(outcome: str, settle: str) -> None:
    """By their names in logs and statistics."""
    assert Settle(settle) is Outcome(outcome).settle


def test_there_are_six_outcomes() -> None:
    """A seventh needs a line in the table above."""
    assert 6 == len(Outcome)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.InvalidMessage, "invalid"),
        (errors.DuplicatedMessage, "duplicate"),
        (errors.OverLifeTime, "failed"),
        (errors.AlreadyLocked, "failed"),
        (errors.CannotExecute, "failed"),
        (errors.HostExhausted, "returned"),
        (errors.StoreError, "returned"),
        (errors.QueueError, "returned"),
        (errors.ReceiptHandleInvalid, "returned"),
        (errors.LeaseLost, "returned"),
        (errors.JobInProgress, "returned"),
        (errors.GroupReturned, "returned"),
        (errors.Stopping, "returned"),
    ],
)
def test_the_outcome_of_a_job_that_an_error_kept_from_running(
    error: type[errors.SqsjkrError], outcome: str
) -> None:
    """What is not the job's own fault has it return to its queue."""
    assert Outcome(outcome) is outcome_of(error("why"))
