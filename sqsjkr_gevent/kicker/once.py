"""One job here and now, without a queue: with its lock, its limits and its environment."""

import time
import uuid
from collections.abc import Callable

from ..config import Config
from ..intake import Permit
from ..job import Ending, Job
from ..message import Message
from ..process import STOPPED
from ..stores import NoLocker, Stores, as_leased_locker
from ..telemetry import MemoryHistory
from ..worker import Parts, Run, keeping
from ..worker.environment import Environment
from ..worker.executor import Executor
from ..worker.locks import Locks
from ..worker.trigger import Trigger


class Once:
    """A job that runs once. body: as of a message. on_output: is given what it prints, as it comes.

    Raises InvalidMessage or ConfigError.
    """

    def __init__(self, config: Config, body: str, on_output: Callable[[bytes], None]) -> None:
        kicker = config.kicker
        self._config = config
        self._parts = Parts(config, MemoryHistory())
        self._parts.permits.take(1)
        name = f"run-job-{uuid.uuid4().hex[:12]}"
        message = Message(id=name, body=body, receipt_handle="", sent_at=time.time())
        # Nothing can be returned to a queue, so that a job that is stopped has failed.
        message.deleted = True
        owner = f"{self._parts.name}:1"
        self.job_run = Run(message, Permit(self._parts.permits), owner, time.time)
        self.job_run.job = Job.from_message(
            message, kill_over_life_time=kicker.kill_over_life_time, timeout=kicker.timeout
        )
        self._runner = self._parts.make_runner(kicker, on_output)

    def run(self) -> Ending:
        """Run it to its end. Raises what kept it from being run: see outcome.py."""
        config, parts, run = self._config, self._parts, self.job_run
        environment = Environment(config.kicker.inherit_env)
        stores = Stores(config, parts.session, parts.observer("dynamodb"))
        locker = NoLocker() if run.job.lock_id is None else as_leased_locker(stores.locker())
        interval = config.locker.retry_interval
        locks = Locks(locker, parts.keeper, parts.room, retry_interval=interval)
        executor = Executor(self._runner, environment, parts.guard, parts.metrics, parts.stopping)
        trigger = Trigger(config.kicker.life_time_trigger, parts.runner, environment, parallel=1)
        with keeping(parts, parts.guard.beat, lambda dead: self.stop()):
            with locks.held(run) as token:
                with parts.room.waiting():
                    pass  # A stop while the store was asked for the lock ends it here.
                ending = executor.execute(run, token)
            if ending.over_life_time:
                trigger.fire(run)
        return ending

    def stop(self) -> None:
        """Kill it, or have run() raise Stopping where it has not started."""
        self._parts.stopping.set()
        self._parts.room.close()
        self._runner.kill_all(STOPPED)
        self._parts.runner.kill_all(STOPPED)  # The trigger's.
