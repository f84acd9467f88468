"""A job is claimed in the throttler before it runs, until its message is settled."""

from collections.abc import Callable

import gevent

from ..backoff import jittered
from ..errors import JobInProgress, LeaseLost, StoreError
from ..intake import WaitingRoom
from ..log import get_logger
from ..stores import LeasedThrottler
from .keeper import Keeper, Lease
from .run import Run

log = get_logger(__name__)


class Claim:
    """A run's claim on its job: it is marked as done, or released, once."""

    def __init__(self, throttler: LeasedThrottler, run: Run) -> None:
        self._throttler = throttler
        self._run = run
        self._closed = False
        self.lease: Lease | None = None

    def renew(self) -> None:
        """Start its lease anew. Raises LeaseLost or StoreError."""
        try:
            self._throttler.renew(self._run.job.id, self._run.owner)
        except LeaseLost:
            # The mark that ends the lease may have been written while this call was under way.
            if not self._closed:
                raise

    def done(self) -> None:
        """The job must not run again. Later calls do nothing.

        Raises StoreError, or LeaseLost if another host has the job now.
        """
        if self._closed:
            return
        if self.lease is not None and self.lease.has_lapsed:
            # Another host may have taken the job over. If not, this renewal keeps it from that.
            self.renew()
        self._close(self._throttler.done)

    def release(self) -> None:
        """The job did not run, or has to run again. Raises StoreError or LeaseLost."""
        self._close(self._throttler.release)

    def abandon(self) -> None:
        """Stop renewing it: if it is neither done nor released, it lapses."""
        if self.lease is not None:
            self.lease.abandon()

    def _close(self, call: Callable[[str, str], None]) -> None:
        self._closed = True
        try:
            call(self._run.job.id, self._run.owner)
        finally:
            if self.lease is not None:
                self.lease.release()


class Claims:
    """Claims jobs. retry_interval: seconds between two tries at a job that another host runs."""

    def __init__(
        self,
        throttler: LeasedThrottler,
        keeper: Keeper,
        room: WaitingRoom,
        *,
        retry_interval: float,
    ) -> None:
        self._throttler = throttler
        self._keeper = keeper
        self._room = room
        self._retry_interval = retry_interval

    def claim(self, run: Run) -> Claim:
        """Claim the run's job; while another host runs it, wait without a slot.

        Raises DuplicatedMessage if it is done, StoreError, or Stopping.
        """
        while True:
            asked_at = self._keeper.clock()
            try:
                run.heir_of = self._throttler.claim(run.job.id, owner=run.owner)
                break
            except JobInProgress as busy:
                log.info("waits: in progress on another host", reason=str(busy), **run.names())
                wait = next_try_in(busy.lapses_in, self._retry_interval)
                with run.waiting(self._room, "host", busy.get_holder):
                    gevent.sleep(wait)
            except StoreError:
                self._forget(run)
                raise
        claim = Claim(self._throttler, run)
        if self._throttler.lease is not None:
            claim.lease = self._keeper.keep(
                "job",
                self._throttler.lease,
                claim.renew,
                run.lose,
                since=asked_at,
                names=run.names,
            )
            run.leases.add(claim.lease)
        return claim

    def _forget(self, run: Run) -> None:
        """Take back a claim that the store may have granted although its answer was lost."""
        if self._throttler.lease is None:
            return  # It knows no owners: this could take back what another run has done.
        try:
            self._throttler.release(run.job.id, run.owner)
        except (StoreError, LeaseLost):
            pass  # Then its lease lapses.


def next_try_in(
    lapses_in: float | None, retry_interval: float, free_in: float | None = None
) -> float:
    """Seconds until it is worth asking again for what another holds; see errors.Held."""
    wait = jittered(retry_interval)
    if free_in is not None:
        # Do not ask before an end that is far away, and do not miss one that is near.
        wait = min(wait, max(free_in, jittered(retry_interval / 5)))
    return wait if lapses_in is None else min(wait, lapses_in)
