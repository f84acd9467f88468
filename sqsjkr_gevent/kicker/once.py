"""One job here and now, without a queue: with its lock, its limits and its environment."""

import time
import uuid
from collections.abc import Callable

from ..config import Config
from ..intake import Permit
from ..job import Ending, Job
from ..message import Message
from ..process import STOPPED
from ..stores import NoLocker, as_leased_locker
from ..telemetry import MemoryHistory
from ..worker import Parts, Run, keeping


class Once:
    """A job that runs once. body: of a message. on_output: called with what it prints, as it comes.

    Raises InvalidMessage or ConfigError.
    """

    def __init__(self, config: Config, body: str, on_output: Callable[[bytes], None]) -> None:
        kicker = config.kicker
        self._parts = Parts(config, history=MemoryHistory(), on_output=on_output)
        self._parts.permits.take(1)
        name = f"run-job-{uuid.uuid4().hex[:12]}"
        message = Message(id=name, body=body, receipt_handle="", sent_at=time.time())
        # There is no queue to return it to, so a job that is stopped has failed.
        message.deleted = True
        owner = f"{self._parts.name}:1"
        self.job_run = Run(message, Permit(self._parts.permits), owner, time.time)
        self.job_run.job = Job.from_message(
            message, kill_over_life_time=kicker.kill_over_life_time, timeout=kicker.timeout
        )

    def run(self) -> Ending:
        """Run it to its end. Raises what kept it from running: see job/outcome.py."""
        parts, run = self._parts, self.job_run
        no_lock = run.job.lock_id is None
        locks = parts.locks(NoLocker() if no_lock else as_leased_locker(parts.stores.locker()))
        with keeping(parts, parts.processes.guard.beat, lambda dead: self.stop()):
            with locks.holding(run) as token:
                with parts.room.waiting():
                    pass  # A stop while the store was asked for the lock ends it here.
                ending = parts.executor.execute(run, token)
            if ending.over_life_time:
                parts.trigger.fire(run)
        return ending

    def stop(self) -> None:
        """Kill it, or have run() raise Stopping if it has not started."""
        self._parts.stopping.set()
        self._parts.room.close()
        self._parts.processes.kill_all(STOPPED)
