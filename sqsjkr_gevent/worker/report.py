"""What is made known of a job's end."""

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
from ..telemetry import End, History, Metrics, Stats
from .run import Run

log = get_logger(__name__)


class Report:
    """Counts ends, keeps them, and opens the circuit where a store or the host kept a job back.

    waits: is given the seconds that each job waited which started. clock: epoch seconds.
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

    def ending(self, run: Run, ending: Ending) -> Callable[[float], None]:
        """A job has ended; its message is settled next.

        Answers what waits until the end is kept, at most so many seconds: called before the message
        goes, it has the end in the history if the message is gone from the queue, whoever is killed
        in between. A history that fails does not keep the message, nor does anything else here: the
        job has ended.
        """
        try:
            return self._kept(run, ending)
        except Exception:
            log.exception("end of a job not kept", **run.names())
            return lambda within: None

    def _kept(self, run: Run, ending: Ending) -> Callable[[float], None]:
        now = self._clock()
        message, job = run.message, run.parsed
        started_at = now if run.started_at is None else run.started_at
        waited = max(0.0, started_at - message.sent_at)
        end = End(
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
        self._metrics.ended(ending.outcome, ending.cause, waited, run.ran)
        kept = self._history.add(end)

        def wait(within: float) -> None:
            if kept is not None:
                kept.wait(within)

        return wait

    def ended(self, ending: Ending) -> None:
        """Its message is settled."""
        self._stats.count(ending.outcome)
        if isinstance(ending.error, StoreError):
            self._metrics.store_failed()
            self._circuit.trip(ending.error)
        elif isinstance(ending.error, HostExhausted):
            self._circuit.trip(ending.error)
        elif ending.error is None:
            self._circuit.proved()
