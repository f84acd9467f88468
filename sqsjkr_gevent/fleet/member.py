"""One kicker of a fleet, in its own process."""

import os
from collections.abc import Sequence

import gevent

from ..config import Config
from ..errors import SqsjkrError
from ..kicker import Kicker
from ..kicker.own_process import settle_in
from ..log import configure, get_logger
from ..stores.history import SqliteHistory
from ..telemetry import History, Metrics
from ..telemetry.history import MAX_IN_MEMORY
from ..web import create_app
from .fleet import Fleet, share
from .peers import Peers
from .together import Together
from .values import make_in_files

log = get_logger(__name__)


class Member:
    """A kicker, and the app that shows the whole fleet.

    number: unique among the living processes of the fleet. share_of: its index among the processes
    that share the slots, and their number. failure: the error that ended the kicker, None if it was
    stopped.
    """

    def __init__(self, fleet: Fleet, number: int, share_of: tuple[int, int]) -> None:
        index, processes = share_of
        self._fleet = fleet
        self._config = fleet.config.replace(
            kicker__max_concurrent_num=share(
                fleet.config.kicker.max_concurrent_num, processes, index
            )
        )
        configure(self._config.log.level, self._config.log.format)
        metrics = make_in_files(Metrics, fleet.metrics, number)
        self.kicker = Kicker(self._config, history=_history(self._config, fleet), metrics=metrics)
        self.kicker.live.main_pid = os.getppid()
        self._peers = Peers(fleet.sockets, os.getpid(), self.kicker.live.state)
        self.view = Together(self.kicker, self._peers, fleet.metrics)
        self.app = create_app(self)
        self.failure: Exception | None = None
        self._running: gevent.Greenlet[[], None] | None = None

    def start(self, addresses: Sequence[object]) -> None:
        """Run the kicker in a greenlet. addresses: those of the stats server, for the log."""
        for address in addresses:
            log.info("stats", address=address)
        self._peers.start()
        settle_in()
        self._running = gevent.spawn(self._run)

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the kicker to end. Returns whether it has ended."""
        if self._running is None:
            return False
        self._running.join(timeout)
        return self._running.ready()

    def _run(self) -> None:
        self.kicker.on_started(self._fleet.mark_up)
        try:
            self.kicker.run(handle_signals=False, serve_stats=False)
        except SqsjkrError as error:
            log.error("the kicker cannot continue", reason=str(error))
            self.failure = error
        except Exception as error:
            log.exception("the kicker has failed")
            self.failure = error
        finally:
            self._peers.stop()


def _history(config: Config, fleet: Fleet) -> History:
    """Always a file, because the processes share no memory."""
    section = config.history
    if section.path is not None:
        return SqliteHistory(section.path, run=fleet.run, keep=section.keep)
    path = str(fleet.directory / "history.db")
    return SqliteHistory(path, run=fleet.run, keep=section.keep, max_records=MAX_IN_MEMORY)
