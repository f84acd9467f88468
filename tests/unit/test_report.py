"""What an ending does to the circuit."""

from collections import deque
from typing import Any

import pytest

from sqsjkr_gevent.errors import GroupReturned, HostExhausted, StoreError
from sqsjkr_gevent.job import Ending, Outcome, cause_of
from sqsjkr_gevent.telemetry import MemoryHistory, Metrics, Stats
from sqsjkr_gevent.worker.report import Report


class Circuit:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def trip(self, error: Exception) -> None:
        """See Circuit."""
        self.told.append(error)

    def succeeded(self) -> None:
        """See Circuit."""
        self.told.append("succeeded")


def not_run(error: Any) -> Ending:
    """The ending of a job that the error kept from running."""
    return Ending(Outcome.RETURNED, str(error), cause_of(error), error=error)


STORE, HOST = StoreError("down"), HostExhausted("no process")


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending(Outcome.SUCCEEDED, "exit 0", "exit", exit_status=0), ["succeeded"]),
        (Ending(Outcome.ERRORED, "exit 1", "exit", exit_status=1), ["succeeded"]),
        (not_run(STORE), [STORE]),
        (not_run(HOST), [HOST]),
        (not_run(GroupReturned("an earlier one went back")), []),
        (Ending(Outcome.RETURNED, "turned away unparsed", "group", at_once=True), []),
        (Ending(Outcome.RETURNED, "ValueError()", "fault"), []),
    ],
)
def test_only_a_job_that_ran_proves_that_stores_and_host_are_well(ending, told):
    """A job that is turned away in an outage says nothing of the stores: probes go on slowing."""
    circuit: Any = Circuit()
    Report(Stats(), circuit, MemoryHistory(), Metrics(), deque()).count(ending)
    assert told == circuit.told
