"""The kicker: its start, its life, and its stop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from gevent import monkey
from gevent.event import Event

from .. import __version__
from ..config import Config
from ..errors import SqsjkrError, Stopping
from ..intake import Queue
from ..log import configure, get_logger
from ..signals import STOP_SIGNALS, STRAY, deadly, handled
from ..stores import LeasedLocker, LeasedThrottler, Locker, Throttler
from ..telemetry import Health, History, Metrics, Stats
from ..web import Live, Overview, StatsServer, create_app
from ..worker import Parts, keeping
from .drain import Drain
from .life import Life
from .start import open_all

log = get_logger(__name__)


class Kicker:
    """Receives the messages of one queue and runs their jobs, until it is stopped.

    locker, throttler, history, queue: used instead of those that the config names. metrics: counts
    into these instead of new ones. One process may have several kickers. Raises ConfigError if the
    config cannot be used, and SqsjkrError in a process that gevent has not patched.
    """

    def __init__(
        self,
        config: Config,
        *,
        locker: Locker | LeasedLocker | None = None,
        throttler: Throttler | LeasedThrottler | None = None,
        history: History | None = None,
        queue: Queue | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        _require_patched()
        self._config = config
        self._locker = locker
        self._throttler = throttler
        self.parts = Parts(config, history=history, queue=queue, metrics=metrics)
        self.live = Live(self.parts)
        self.view = Overview(self.parts, self.live, config.kicker.stats_token)
        self._on_started: Callable[[], None] = lambda: None
        self._hurry = Event()
        self._failure: BaseException | None = None
        self._has_run = False

    def set_locker(self, locker: Locker | LeasedLocker) -> None:
        """Use this locker; only before run()."""
        self._locker = locker

    def set_throttler(self, throttler: Throttler | LeasedThrottler) -> None:
        """Use this throttler; only before run()."""
        self._throttler = throttler

    @property
    def stats(self) -> Stats:
        """How many jobs ended with each outcome."""
        return self.parts.stats

    @property
    def health(self) -> Health:
        """Whether it makes progress."""
        return self.parts.health

    @property
    def busy(self) -> int:
        """How many slots have a running job."""
        return self.parts.slots.busy

    @property
    def idle(self) -> int:
        """How many slots have none."""
        return self.parts.slots.idle

    def on_started(self, call: Callable[[], None]) -> None:
        """Have it called once messages are received."""
        self._on_started = call

    def stop(self) -> None:
        """Have run() drain and return. A second call skips the wait for running jobs.

        Safe to call from any greenlet or signal handler.
        """
        if self.parts.stopping.is_set():
            self._hurry.set()
        self.parts.stopping.set()

    def run(
        self,
        log_level: str | None = None,
        *,
        handle_signals: bool = True,
        serve_stats: bool = True,
    ) -> None:
        """Run until stop() or a signal, and return once drained.

        log_level: debug, info, warn or error writes lines of that level and above to standard
        error, in the form of [log]. None leaves the log to Python's `logging`, whose loggers
        `sqsjkr_gevent...` get each event; by default it shows only warnings and errors.
        handle_signals: only for a kicker that has its process to itself, in the main thread.
        serve_stats: false if create_app(kicker) is served in another way.
        Raises StartError if the queue or a table is missing or denied, ConfigError, or what ended
        a part that must not end.
        """
        if self._has_run:
            raise SqsjkrError("a Kicker runs once: make another")
        self._has_run = True
        if log_level is not None:
            configure(log_level, self._config.log.format)
        self._warn_if_open()
        with (
            self._signals() if handle_signals else nullcontext(),
            self._history(),
            self._stats_server() if serve_stats else nullcontext(),
            keeping(self.parts, self._beat, self._fail),
        ):
            try:
                opened = open_all(self.parts, self._locker, self._throttler)
            except Stopping:
                log.info("stopped before the queue was found")
            else:
                self._live_until_stopped(Life(self._config, self.parts, opened, self._fail))
        if self._failure is not None:
            raise self._failure

    def _live_until_stopped(self, life: Life) -> None:
        life.start()
        log.info(
            "started",
            version=__version__,
            queue=self._config.sqs.queue_name,
            name=self.parts.name,
            launcher=self.parts.processes.launcher.name,
        )
        self._on_started()
        self.parts.stopping.wait()
        Drain(life, self.parts, self._config.kicker, self._hurry).run()
        log.info("stopped")

    def _fail(self, failure: BaseException | None) -> None:
        """A part that must not end has ended: stop, and say why."""
        if self._failure is None:
            self._failure = failure
        self.parts.stopping.set()

    def _warn_if_open(self) -> None:
        if self._config.kicker.is_open:
            log.warning(
                "anyone who reaches this host can read commands and outputs: set "
                "kicker.stats_token",
                stats_host=self._config.kicker.stats_host,
            )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        with handled(STOP_SIGNALS, self._on_signal), handled(deadly(STRAY), _ignore):
            yield

    def _on_signal(self, name: str) -> None:
        log.info("stopping", signal=name, hurry=self.parts.stopping.is_set())
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
        self.parts.processes.guard.beat()


def _ignore(name: str) -> None:
    log.info("signal ignored", signal=name)


def _require_patched() -> None:
    if not monkey.is_module_patched("socket"):
        raise SqsjkrError(
            "gevent has not patched this process: make `from gevent import monkey; "
            "monkey.patch_all()` the first line of the program"
        )
