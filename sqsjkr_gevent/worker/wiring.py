"""Puts the parts of a kicker together; nothing here runs."""

import os
import socket
import uuid
from collections import deque
from collections.abc import Callable
from functools import partial

from gevent.event import Event

from ..aws import Observer, SqsQueue, error_code, make_session
from ..config import Config
from ..config.config import KickerSection
from ..intake import Circuit, Permits, Queue, WaitingRoom
from ..process import Guard, Runner, Runs, make_launcher
from ..stores import LeasedLocker, LeasedThrottler
from ..stores.history import SqliteHistory
from ..telemetry import Health, History, MemoryHistory, Metrics, QueueDepth, Stats
from .claims import Claims
from .environment import Environment
from .executor import Executor
from .groups import Groups
from .keeper import Keeper, margin
from .locks import Locks
from .report import Report
from .retry import RetryPolicy
from .settler import Settler
from .slots import Slots
from .trigger import Trigger
from .worker import JobDefaults, Worker

#: Waits of jobs that are remembered, for what is usual now.
RECENT = 100

#: Seconds that a receive may take beyond its long poll before it counts as standing still.
RECEIVE_SLACK = 30.0


class Parts:
    """What a kicker is made of before its queue is known to exist.

    history, queue: None for those that the config names.
    """

    def __init__(
        self, config: Config, history: History | None = None, queue: Queue | None = None
    ) -> None:
        kicker = config.kicker
        #: Names this kicker in lock and throttle stores, apart from all others there ever were.
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.stats = Stats()
        self.metrics = Metrics()
        self.history = history or _history(config, self.name)
        self.health = Health(receive_within=config.sqs.wait_time + RECEIVE_SLACK)
        self.keeper = Keeper()
        self.room = WaitingRoom()
        self.permits = Permits(kicker.max_concurrent_num, self.room, max_waiting=kicker.max_waiting)
        self.slots = Slots(kicker.max_concurrent_num, self.room)
        #: Set by a stop, before anything is done about it.
        self.stopping = Event()
        self.launcher = make_launcher(kicker.launcher)
        self.runs = Runs(self.name)
        self.runner = self.make_runner(kicker)
        self.session = make_session(config.account)
        self.queue = queue or SqsQueue(
            self.session, config.account, config.sqs, observe=self.observer("sqs")
        )
        self.groups = Groups(self.room, self.queue.name)
        self.depth = QueueDepth(self.queue.depth)
        #: By which it may be asked, beside those that this host has anyway.
        self.host_names = (kicker.stats_host, *kicker.stats_hosts)
        #: Of the last jobs that started, in seconds.
        self.waits: deque[float] = deque(maxlen=RECENT)
        self.guard = Guard(self.name, self.runs, _silence(config))

    def make_runner(
        self, kicker: KickerSection, on_output: Callable[[bytes], None] | None = None
    ) -> Runner:
        """A runner over the launcher. on_output: is given what commands print, as it comes."""
        return Runner(
            self.launcher,
            output_limit=kicker.output_limit,
            kill_grace=kicker.kill_grace,
            runs=self.runs,
            on_start=partial(self.health.observer("host"), "start_process"),
            on_output=on_output,
        )

    def observer(self, service: str) -> Observer:
        """Told of every call of that service."""
        judge = self.health.observer(service)
        count = self.metrics.observer(service, error_code)

        def observe(operation: str, error: Exception | None) -> None:
            count(operation, error)
            # Only people ask for the depth of queues: no job needs it.
            if operation != "get_queue_attributes":
                judge(operation, error)

        return observe

    def settler(self, config: Config, throttler: LeasedThrottler) -> Settler:
        """The settler, which depends on what else guards a message."""
        return Settler(
            self.queue,
            self.keeper,
            visibility_timeout=config.sqs.visibility_timeout,
            retry=RetryPolicy(config.retry),
            sole_guard=throttler.lease is None,
            at_most_once=config.sqs.delivery == "at_most_once",
        )

    def worker(
        self,
        config: Config,
        locker: LeasedLocker,
        throttler: LeasedThrottler,
        settler: Settler,
        circuit: Circuit,
    ) -> Worker:
        """The worker over the given stores."""
        kicker, retry_interval = config.kicker, config.locker.retry_interval
        environment = Environment(kicker.inherit_env)
        return Worker(
            JobDefaults(kill_over_life_time=kicker.kill_over_life_time, timeout=kicker.timeout),
            Claims(throttler, self.keeper, self.room, retry_interval=retry_interval),
            Locks(locker, self.keeper, self.room, retry_interval=retry_interval),
            self.slots,
            Executor(self.runner, environment, self.guard, self.metrics, self.stopping),
            Trigger(
                kicker.life_time_trigger,
                self.runner,
                environment,
                parallel=kicker.max_concurrent_num,
            ),
            settler,
            Report(self.stats, circuit, self.history, self.metrics, self.waits),
        )


def _history(config: Config, run: str) -> History:
    section = config.history
    if section.path is None:
        return MemoryHistory()
    return SqliteHistory(section.path, run=run, keep=section.keep)


def _silence(config: Config) -> float:
    """Seconds that the kicker may stand still before its jobs end: within any lease's margin.

    A lease that is renewed just before the kicker stands still has all its time left; one that
    failed to be renewed until then has no more than its margin.
    """
    return margin(min(config.sqs.visibility_timeout, config.locker.lease)) * 2 / 3
