"""Puts together what a job passes through. Nothing here runs."""

import os
import socket
import uuid
from collections import deque
from collections.abc import Callable
from functools import partial

from gevent.event import Event

from ..aws import Observer, SqsQueue, error_code, make_session
from ..config import Config
from ..intake import Circuit, Permits, Queue, WaitingRoom
from ..stores import LeasedLocker, LeasedThrottler, Stores
from ..telemetry import Health, History, MemoryHistory, Metrics, QueueDepth, Stats
from .claims import Claims
from .environment import Environment
from .executor import Executor
from .groups import Groups
from .keeper import Keeper, margin
from .locks import Locks
from .processes import Processes
from .report import Report
from .retry import RetryPolicy
from .run import Run
from .settler import Settler
from .slots import Slots
from .trigger import Trigger
from .worker import JobDefaults, Worker

#: How many recent waits of jobs are remembered.
RECENT = 100

#: A receive may take this many seconds beyond its long poll before it counts as standing still.
RECEIVE_SLACK = 30.0


#: What carries the statements of a store, and the call that does what it does not do: where that
#: works, nothing is wrong.
_STATEMENTS = "batch_execute_statement"
_STANDS_IN = "update_item"


class Parts:
    """All that jobs pass through, before any store or queue is known to exist.

    history, queue: None for those that the config names. metrics: None for new ones.
    on_output: called with what jobs print, as it comes. Raises ConfigError.
    """

    def __init__(
        self,
        config: Config,
        *,
        history: History | None = None,
        queue: Queue | None = None,
        metrics: Metrics | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        kicker = config.kicker
        self._config = config
        self._environment = Environment(kicker.inherit_env)
        #: Names this kicker in lock and throttle stores, apart from all others there ever were.
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.stats = Stats()
        self.metrics = metrics or Metrics()
        self.history = history or _history(config, self.name)
        self.health = Health(receive_within=config.sqs.wait_time + RECEIVE_SLACK)
        self.keeper = Keeper()
        self.room = WaitingRoom()
        self.permits = Permits(kicker.max_concurrent_num, self.room, max_waiting=kicker.max_waiting)
        self.slots = Slots(kicker.max_concurrent_num, self.room)
        #: Set once the kicker stops, before anything is done about it.
        self.stopping = Event()
        #: The runs that are not settled, by message id.
        self.runs_alive: dict[str, Run] = {}
        #: Seconds that each of the last started jobs had waited.
        self.waits: deque[float] = deque(maxlen=RECENT)
        self.processes = self._processes(on_output)
        self.executor, self.trigger = self._executor(), self._trigger()
        session = make_session(config.account)
        self.queue = queue or SqsQueue(
            session, config.account, config.sqs, observe=self.observer("sqs")
        )
        self.stores = Stores(config, session, self.observer)
        self.groups = Groups(self.room, self.queue.name)
        self.depth = QueueDepth(self.queue.depth)
        #: Names under which the web server may be requested, in addition to this host's own.
        self.host_names = (kicker.stats_host, *kicker.stats_hosts)

    def _processes(self, on_output: Callable[[bytes], None] | None) -> Processes:
        on_start = partial(self.health.observer("host"), "start_process")
        silence = _silence(self._config)
        return Processes(self.name, self._config.kicker, silence, on_start, on_output)

    def _executor(self) -> Executor:
        processes = self.processes
        return Executor(
            processes.runner, self._environment, processes.guard, self.metrics, self.stopping
        )

    def _trigger(self) -> Trigger:
        kicker, runner = self._config.kicker, self.processes.trigger_runner
        parallel = kicker.max_concurrent_num
        return Trigger(kicker.life_time_trigger, runner, self._environment, parallel=parallel)

    def observer(self, service: str) -> Observer:
        """Called with each call of that service and its error, if any."""
        judge = self.health.observer(service)
        count = self.metrics.observer(service, error_code)

        def observe(operation: str, error: Exception | None) -> None:
            count(operation, error)
            if operation == "get_queue_attributes":
                return  # Only people ask for the depth of queues: no job needs it.
            judge(operation, error)
            if error is None and operation == _STATEMENTS:
                # The service works, and the calls that stand in may not be made for a while.
                self.health.forgive(service)
            elif error is None and operation == _STANDS_IN:
                judge(_STATEMENTS, None)

        return observe

    def locks(self, locker: LeasedLocker) -> Locks:
        """The locks of that store."""
        interval = self._config.locker.retry_interval
        return Locks(locker, self.keeper, self.room, retry_interval=interval)

    def settler(self, throttler: LeasedThrottler) -> Settler:
        """The settler, which depends on what else keeps other hosts from a message."""
        sqs = self._config.sqs
        return Settler(
            self.queue,
            self.keeper,
            visibility_timeout=sqs.visibility_timeout,
            retry=RetryPolicy(self._config.retry),
            sole_guard=throttler.lease is None,
            at_most_once=sqs.delivery == "at_most_once",
        )

    def worker(
        self, locker: LeasedLocker, throttler: LeasedThrottler, settler: Settler, circuit: Circuit
    ) -> Worker:
        """The worker over those stores."""
        kicker, interval = self._config.kicker, self._config.locker.retry_interval
        return Worker(
            JobDefaults(kill_over_life_time=kicker.kill_over_life_time, timeout=kicker.timeout),
            Claims(throttler, self.keeper, self.room, retry_interval=interval),
            self.locks(locker),
            self.slots,
            self.executor,
            self.trigger,
            settler,
            Report(self.stats, circuit, self.history, self.metrics, self.waits),
        )


def _history(config: Config, run: str) -> History:
    section = config.history
    if section.path is None:
        return MemoryHistory()
    # SQLite takes 1 MB, and by default nothing needs it.
    from ..stores.history import SqliteHistory  # noqa: PLC0415

    return SqliteHistory(section.path, run=run, keep=section.keep)


def _silence(config: Config) -> float:
    """Seconds that the kicker may stand still before its jobs end: within any lease's margin.

    A lease that is renewed just before the kicker stands still has all its time left. One whose
    renewals have failed until then has no more than its margin.
    """
    return margin(min(config.sqs.visibility_timeout, config.locker.lease)) * 2 / 3
