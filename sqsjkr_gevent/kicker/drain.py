"""The drain of a kicker: what has not started goes back, what runs ends or is killed."""

import time
from typing import Any

import gevent
from gevent.event import Event

from ..config import KickerSection
from ..log import get_logger
from ..process import STOPPED
from ..stores import Closable
from ..worker import Parts
from .life import Life

log = get_logger(__name__)

#: Seconds for the last deletes, returns and done marks.
FLUSH = 5.0

#: Once all jobs have ended and time is up, a receive under way may take this many seconds more.
LAST_RECEIVE = 1.0


class Drain:
    """Ends a Life. hurry: once set, running jobs are no longer waited for."""

    def __init__(self, life: Life, parts: Parts, kicker: KickerSection, hurry: Event) -> None:
        self._life = life
        self._parts = parts
        self._kicker = kicker
        self._hurry = hurry

    def run(self) -> None:
        """Drain; returns once all messages are settled or time is up."""
        life, parts = self._life, self._parts
        life.circuit.stop()
        parts.health.state = "draining"
        log.info("draining", running=parts.slots.busy, messages=len(parts.runs_alive))
        life.receivers.stop()
        parts.room.close()
        all_over = gevent.spawn(life.join)
        waited_for: list[Any] = [all_over, self._hurry]
        gevent.wait(waited_for, timeout=self._kicker.shutdown_timeout, count=1)
        self._kill_until(all_over)
        if isinstance(life.throttler, Closable):
            life.throttler.close(FLUSH)  # First: a job deletes its message after its mark.
        parts.queue.close(FLUSH)
        life.jobs.join(timeout=1.0)
        life.jobs.close()
        all_over.kill()

    def _kill_until(self, all_over: "gevent.Greenlet[[], None]") -> None:
        self._parts.processes.refuse_starts()
        until = time.monotonic() + self._kicker.kill_grace + FLUSH
        while not all_over.ready() and time.monotonic() < until:
            if not len(self._life.jobs):
                # A receive still under way may bring what was returned a moment ago.
                until = min(until, time.monotonic() + LAST_RECEIVE)
            # Again and again: a start that was under way may succeed.
            self._parts.processes.kill_all(STOPPED)
            all_over.join(timeout=0.1)
