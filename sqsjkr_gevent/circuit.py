"""While a store fails no message is received: each would only be sent back, and be counted."""

from collections.abc import Callable, Sequence

import gevent
import structlog
from gevent.event import Event

from .backoff import Backoff
from .errors import SqsjkrError, StoreError

log = structlog.get_logger(__name__)


class Circuit:
    """Opened by a store's failure, closed once the probes succeed.

    probes: each raises a StoreError while its store fails; a store that has no probe is tried with
    the next job. on_close: called when all is well again.
    """

    def __init__(self, probes: Sequence[Callable[[], None]], on_close: Callable[[], None]) -> None:
        self._probes = probes
        self._on_close = on_close
        self._backoff = Backoff(1.0, 15.0)
        self._probing: gevent.Greenlet[[], None] | None = None
        self.closed = Event()
        self.closed.set()

    def trip(self, error: StoreError) -> None:
        """A store failed."""
        if self.closed.is_set():
            self.closed.clear()
            log.error("a store fails; no messages are received meanwhile", reason=str(error))
            self._probing = gevent.spawn(self._probe)

    def proved(self) -> None:
        """A job has passed all stores."""
        self._backoff.succeeded()

    def stop(self) -> None:
        """Probe no more."""
        if self._probing is not None:
            self._probing.kill()

    def _probe(self) -> None:
        while True:
            gevent.sleep(self._backoff.failed())
            try:
                for probe in self._probes:
                    probe()
            except SqsjkrError as error:
                log.error("a store still fails", reason=str(error))
            else:
                log.info("the stores answer again")
                self._on_close()
                self.closed.set()
                return
