"""While a store or the host fails nothing is received: each message would use up a receive."""

from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

from ..backoff import Backoff
from ..errors import SqsjkrError, StoreError
from ..log import get_logger

log = get_logger(__name__)


class Circuit:
    """Open after a failure that is not the job's, closed once the probes succeed.

    probes: each raises while what it checks fails. A store without a probe is tried with the next
    job. observe: called with the error each time a probe finds the circuit must stay open, and with
    None once it is closed. on_close: called once everything works again.
    """

    def __init__(
        self,
        probes: Sequence[Callable[[], None]],
        on_close: Callable[[], None],
        observe: Callable[[Exception | None], None],
    ) -> None:
        self._probes = probes
        self._on_close = on_close
        self._observe = observe
        self._backoff = Backoff(1.0, 15.0)
        self._probing: gevent.Greenlet[[], None] | None = None
        self._stopped = False
        self.closed = Event()
        self.closed.set()

    def trip(self, error: SqsjkrError) -> None:
        """A store failed, or the host could not start a process: open the circuit."""
        if self.closed.is_set() and not self._stopped:
            self.closed.clear()
            self._observe(error)
            log.error("no messages are received while this fails", reason=str(error))
            self._probing = gevent.spawn(self._probe)

    def succeeded(self) -> None:
        """A job has passed all stores and was run."""
        self._backoff.succeeded()

    def stop(self) -> None:
        """Probe no more, whatever fails."""
        self._stopped = True
        if self._probing is not None:
            self._probing.kill()

    def _probe(self) -> None:
        while True:
            gevent.sleep(self._backoff.failed())
            try:
                for probe in self._probes:
                    probe()
            except Exception as error:  # noqa: BLE001
                # A user's own store may raise anything.
                known = error if isinstance(error, SqsjkrError) else StoreError(repr(error))
                log.error("still failing; no messages are received", reason=str(known))
                self._observe(known)
            else:
                log.info("working again; messages are received")
                self._observe(None)
                self._on_close()
                self.closed.set()
                return
