"""The kicker: its start, its life, and its stop."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import count
from typing import Any, TypeVar

import gevent
from gevent import monkey
from gevent.event import Event

from .. import __version__
from ..backoff import Backoff
from ..config import Config
from ..errors import GroupReturned, HostExhausted, QueueError, SqsjkrError, Stopping, StoreError
from ..intake import Circuit, Permit, Queue, Receivers
from ..log import configure, get_logger
from ..message import Message
from ..process import STOPPED
from ..signals import STOP_SIGNALS, STRAY, deadly, handled
from ..stores import (
    Closable,
    LeasedLocker,
    LeasedThrottler,
    Locker,
    Stores,
    Throttler,
    as_leased_locker,
    as_leased_throttler,
    checks,
)
from ..telemetry import Health, History, Stats
from ..web import Live, Overview, StatsServer, create_app
from ..worker import Parts, Run, keeping
from .crew import Crew

T = TypeVar("T")

log = get_logger(__name__)

#: Seconds for the last deletes, returns and done marks at a stop.
FLUSH = 5.0


#: Seconds that polls under way are waited for once all jobs are over and there is no more time.
LAST_POLL = 1.0


class Kicker:
    """Receives messages of one queue and runs their jobs, until it is stopped.

    locker, throttler, history, queue: instead of those that the config names. Several kickers may
    live in one process. Raises ConfigError where the config cannot be used, and SqsjkrError in a
    process that gevent has not patched.
    """

    def __init__(
        self,
        config: Config,
        *,
        locker: Locker | LeasedLocker | None = None,
        throttler: Throttler | LeasedThrottler | None = None,
        history: History | None = None,
        queue: Queue | None = None,
    ) -> None:
        _require_patched()
        self._config = config
        self._locker = locker
        self._throttler = throttler
        self.parts = Parts(config, history, queue)
        self._runs: dict[str, Run] = {}
        self._on_started: Callable[[], None] = lambda: None
        self.live = Live(
            config.sqs.queue_name,
            self.parts.slots,
            self.parts.permits,
            self.parts.health,
            self.parts.depth,
            self.parts.waits,
            self._runs,
            clock=time.time,
        )
        self.view = Overview(self.parts, self.live, config.kicker.stats_token)
        self._jobs = Crew(max_idle=config.kicker.max_concurrent_num)
        self._numbers = count(1)
        self._stop = self.parts.stopping
        self._hurry = Event()
        self._checks: list[Callable[[], None]] = []
        self._failure: BaseException | None = None
        self._ran = False

    def set_locker(self, locker: Locker | LeasedLocker) -> None:
        """Use this locker; only before run()."""
        self._locker = locker

    def set_throttler(self, throttler: Throttler | LeasedThrottler) -> None:
        """Use this throttler; only before run()."""
        self._throttler = throttler

    @property
    def stats(self) -> Stats:
        """How many jobs ended, and how."""
        return self.parts.stats

    @property
    def health(self) -> Health:
        """Whether it makes progress."""
        return self.parts.health

    @property
    def busy(self) -> int:
        """Jobs that run."""
        return self.parts.slots.busy

    @property
    def idle(self) -> int:
        """Slots in which none runs."""
        return self.parts.slots.idle

    def on_started(self, call: Callable[[], None]) -> None:
        """Have it called once messages are received."""
        self._on_started = call

    def stop(self) -> None:
        """Have run() drain and return; called again, without waiting for running jobs.

        Safe to call from any greenlet or signal handler.
        """
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def run(
        self,
        log_level: str | None = None,
        *,
        handle_signals: bool = True,
        serve_stats: bool = True,
    ) -> None:
        """Run until stop() or a signal, and return once drained.

        log_level: debug, info, warn or error; configures the log, which is left as it is for None
        (structlog's own default writes every line to standard output).
        handle_signals: only for a kicker that has its process to itself, in the main thread.
        serve_stats: false where create_app(kicker) is served in another way.
        Raises StartError where the queue or a table is missing or denied, ConfigError, or what
        ended a part that must not end.
        """
        if self._ran:
            raise SqsjkrError("a Kicker runs once: make another")
        self._ran = True
        if log_level is not None:
            configure(log_level, self._config.log.format)
        signals, stray = (STOP_SIGNALS, deadly(STRAY)) if handle_signals else ((), [])
        if self._config.kicker.is_open:
            log.warning(
                "whoever reaches this host can read commands and outputs: set kicker.stats_token",
                stats_host=self._config.kicker.stats_host,
            )
        server = self._stats_server() if serve_stats else nullcontext()
        beside = keeping(self.parts, self._beat, self._fail)
        with (
            handled(signals, self._on_signal),
            handled(stray, _ignore),
            self._history(),
            server,
            beside,
        ):
            try:
                locker, throttler = self._open()
            except Stopping:
                log.info("stopped before the queue was found")
            else:
                self._live(locker, throttler)
        if self._failure is not None:
            raise self._failure

    def _open(self) -> tuple[LeasedLocker, LeasedThrottler]:
        """Find the queue and the tables, however long that takes."""
        parts = self.parts
        retention = self._persist(parts.queue.open)
        stores = Stores(self._config, parts.session, parts.observer("dynamodb"))
        locker = self._locker or stores.locker()
        throttler = self._throttler or stores.throttler(retention)
        self._checks = checks(locker, throttler)
        for check in self._checks:
            self._persist(check)
        return as_leased_locker(locker), as_leased_throttler(throttler)

    def _persist(self, call: Callable[[], T]) -> T:
        """Call until it succeeds. Raises StartError, or Stopping where a stop comes first."""
        backoff = Backoff(1.0, 30.0)
        while not self._stop.is_set():
            try:
                return call()
            except (QueueError, StoreError, HostExhausted) as error:
                wait = backoff.failed()
                log.error("cannot start yet, repeated", reason=str(error), wait=round(wait, 2))
                self._stop.wait(wait)
        raise Stopping("stopped during its start")

    def _live(self, locker: LeasedLocker, throttler: LeasedThrottler) -> None:
        config, parts = self._config, self.parts
        self._settler = parts.settler(config, throttler)
        circuit = Circuit(
            [*self._checks, parts.runner.probe],
            lambda: parts.health.forgive("dynamodb"),
            partial(parts.health.observer("kicker"), "receive"),
        )
        self._worker = parts.worker(config, locker, throttler, self._settler, circuit)
        receivers = Receivers(
            parts.queue,
            parts.permits,
            parts.health,
            self._admit,
            self._fail,
            circuit,
            most=config.sqs.receivers,
        )
        receivers.start()
        parts.health.state = "running"
        log.info(
            "started",
            version=__version__,
            queue=config.sqs.queue_name,
            name=parts.name,
            launcher=parts.launcher.name,
        )
        self._on_started()
        self._stop.wait()
        circuit.stop()
        self._drain(receivers, throttler)
        log.info("stopped")

    def _admit(self, messages: Sequence[Message]) -> None:
        """Work on what was received; each message comes with a permit taken for it."""
        for message in messages:
            alive = self._runs.get(message.id)
            if alive is not None and not alive.given_back:
                self.parts.permits.give()
                if alive.message.deleted:
                    self._jobs.spawn(partial(self._settler.drop, message, **alive.names()))
                else:
                    self._settler.refresh(alive, message)
                continue
            owner = f"{self.parts.name}:{next(self._numbers)}"
            run = Run(message, Permit(self.parts.permits), owner, time.time)
            self.parts.metrics.received(time.time() - message.sent_at)
            self._runs[message.id] = run
            self._settler.keep(run)
            self._jobs.spawn(self._work, run)

    def _work(self, run: Run) -> None:
        try:
            with self.parts.groups.turn(run):
                if self._stop.is_set():
                    raise Stopping("the kicker stops")
                self._worker.work(run)
        except (Stopping, GroupReturned) as error:
            self._worker.turn_away(run, error)
        except Exception:
            log.exception("unforeseen fault; the message comes back by itself", **run.names())
        finally:
            # First of all it is no more the one that a redelivery goes to.
            if self._runs.get(run.message.id) is run:
                del self._runs[run.message.id]
            run.let_go()

    def _drain(self, receivers: Receivers, throttler: LeasedThrottler) -> None:
        """Return what has not started, wait for what runs, then kill and return that as well."""
        parts, kicker = self.parts, self._config.kicker
        parts.health.state = "draining"
        log.info("draining", running=self.busy, held=len(self._runs))
        receivers.stop()
        parts.room.close()
        all_over = gevent.spawn(self._join_all, receivers)
        waited_for: list[Any] = [all_over, self._hurry]
        gevent.wait(waited_for, timeout=kicker.shutdown_timeout, count=1)
        until = time.monotonic() + kicker.kill_grace + FLUSH
        while not all_over.ready() and time.monotonic() < until:
            if not len(self._jobs):
                # A poll still under way may bring what was returned a moment ago.
                until = min(until, time.monotonic() + LAST_POLL)
            # Again and again: a trigger may start while jobs end.
            parts.runner.kill_all(STOPPED)
            all_over.join(timeout=0.1)
        if isinstance(throttler, Closable):
            throttler.close(FLUSH)  # First: a job deletes its message after its mark.
        parts.queue.close(FLUSH)
        self._jobs.join(timeout=1.0)
        self._jobs.close()
        all_over.kill()

    def _join_all(self, receivers: Receivers) -> None:
        receivers.join()
        self._jobs.join()

    def _fail(self, failure: BaseException | None) -> None:
        """A part that must not end has ended: stop, and say why."""
        if self._failure is None:
            self._failure = failure
        self._stop.set()

    def _on_signal(self, name: str) -> None:
        log.info("stopping", signal=name, hurry=self._stop.is_set())
        self.stop()

    @contextmanager
    def _stats_server(self) -> Iterator[None]:
        server = StatsServer(create_app(self), self._config.kicker)
        server.start()
        log.info("stats", address=server.address)
        try:
            yield
        finally:
            server.stop()

    @contextmanager
    def _history(self) -> Iterator[None]:
        self.parts.history.check()
        try:
            yield
        finally:
            self.parts.history.close()

    def _beat(self) -> None:
        self.health.beat()
        self.parts.guard.beat()


def _ignore(name: str) -> None:
    log.info("signal ignored", signal=name)


def _require_patched() -> None:
    if not monkey.is_module_patched("socket"):
        raise SqsjkrError(
            "gevent has not patched this process: make `from gevent import monkey; "
            "monkey.patch_all()` the first line of the program"
        )
