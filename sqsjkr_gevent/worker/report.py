"""Records how jobs ended: in the history, the metrics and the counters."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable

from ..clock import Clock
from ..errors import HostExhausted, StoreError
from ..intake import Circuit
from ..job import Ending
from ..log import get_logger
from ..telemetry import History, Metrics, Record, Stats
from .run import Run

log = get_logger(__name__)

#: Waits until the record of an ended job is in the history, for at most so many seconds.
Recorded = Callable[[float], None]


class Report:
    """Records and counts endings, and trips the circuit if a store or the host kept a job back.

    waits: gets the seconds that each started job had waited. clock: epoch seconds.
    """

    def __init__(
        self,
        stats: Stats,
        circuit: Circuit,
        history: History,
        metrics: Metrics,
        waits: deque[float],
        clock: Clock = time.time,
    ) -> None:
        self._stats = stats
        self._circuit = circuit
        self._history = history
        self._metrics = metrics
        self._clock = clock
        self._waits = waits
        self._host = socket.gethostname()
        self._pid = os.getpid()

    def record(self, run: Run, ending: Ending) -> Recorded:
        """The job has ended; its message is settled next.

        The settler calls what this returns before the message goes, so that a message that is gone
        from the queue has its record in the history, even after a kill in between. No failure here
        keeps the message in the queue, since the job has ended.
        """
        try:
            return self._record(run, ending)
        except Exception:
            log.exception("end of a job not recorded", **run.names())
            return lambda within: None

    def _record(self, run: Run, ending: Ending) -> Recorded:
        now = self._clock()
        message, job = run.message, run.parsed
        started_at = now if run.started_at is None else run.started_at
        waited = max(0.0, started_at - message.sent_at)
        record = Record(
            job_id=message.id,
            event_id=message.id if job is None else job.event_id,
            lock_id=None if job is None else job.lock_id,
            command="" if job is None else job.command,
            outcome=ending.outcome.value,
            cause=ending.cause,
            reason=ending.reason,
            exit_status=ending.exit_status,
            sent_at=message.sent_at,
            ended_at=now,
            waited=waited,
            ran=run.ran,
            attempt=message.receive_count,
            host=self._host,
            pid=self._pid,
            output=run.output,
        )
        if run.ran is not None:
            self._waits.append(waited)
        self._metrics.count_job(ending.outcome, ending.cause, waited, run.ran)
        written = self._history.add(record)

        def recorded(within: float) -> None:
            if written is not None:
                written.wait(within)

        return recorded

    def count(self, ending: Ending) -> None:
        """Its message is settled."""
        self._stats.count(ending.outcome)
        if isinstance(ending.error, StoreError):
            self._metrics.count_store_failure()
            self._circuit.trip(ending.error)
        elif isinstance(ending.error, HostExhausted):
            self._circuit.trip(ending.error)
        elif ending.exit_status is not None:
            self._circuit.succeeded()
