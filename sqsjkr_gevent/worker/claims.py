"""A job is claimed in the throttler before it runs, and kept so until its message is settled."""

from collections.abc import Callable

import gevent

from ..backoff import jittered
from ..errors import JobInProgress, LeaseLost, StoreError
from ..intake import WaitingRoom
from ..log import get_logger
from ..stores import LeasedThrottler
from .keeper import Keeper, Kept
from .run import Run

log = get_logger(__name__)


class Claim:
    """A job that is this run's: to be marked as done, or to be released, once."""

    def __init__(self, throttler: LeasedThrottler, run: Run) -> None:
        self._throttler = throttler
        self._run = run
        self._closed = False
        self.kept: Kept | None = None

    def renew(self) -> None:
        """Start its lease anew. Raises LeaseLost or StoreError."""
        try:
            self._throttler.renew(self._run.job.id, self._run.owner)
        except LeaseLost:
            # The mark that ends the lease may have been written while this call was under way.
            if not self._closed:
                raise

    def done(self) -> None:
        """The job must not run again; said once, it is said for good.

        Raises StoreError, or LeaseLost where another host has the job now.
        """
        if self._closed:
            return
        if self.kept is not None and self.kept.lapsed:
            # Another host may have taken the job over; renewed, it cannot do so any more.
            self.renew()
        self._close(self._throttler.done)

    def release(self) -> None:
        """The job did not run, or has to run again. Raises StoreError or LeaseLost."""
        self._close(self._throttler.release)

    def abandon(self) -> None:
        """Renew it no more: what is neither done nor released lapses."""
        if self.kept is not None:
            self.kept.abandon()

    def _close(self, call: Callable[[str, str], None]) -> None:
        self._closed = True
        try:
            call(self._run.job.id, self._run.owner)
        finally:
            if self.kept is not None:
                self.kept.release()


class Claims:
    """Claims jobs. retry_interval: seconds between two looks at a job that another host runs."""

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
        """Claim the run's job, waiting without a slot while another host runs it.

        Raises DuplicatedMessage where it is done, StoreError, or Stopping.
        """
        while True:
            asked_at = self._keeper.clock()
            try:
                run.heir_of = self._throttler.claim(run.job.id, owner=run.owner)
                break
            except JobInProgress as held:
                log.info("held: in progress elsewhere", reason=str(held), **run.names())
                wait = look_again_in(held.lapses_in, self._retry_interval)
                with run.waiting("host", held.of), run.permit.lent(), self._room.waiting():
                    gevent.sleep(wait)
            except StoreError:
                self._forget(run)
                raise
        claim = Claim(self._throttler, run)
        if self._throttler.lease is not None:
            claim.kept = self._keeper.keep(
                "job",
                self._throttler.lease,
                claim.renew,
                run.lose,
                since=asked_at,
                names=run.names,
            )
            run.leases.add(claim.kept)
        return claim

    def _forget(self, run: Run) -> None:
        """Take back a claim that may have been heard although its answer was lost."""
        if self._throttler.lease is None:
            return  # It knows no owners: this could take back what another run has done.
        try:
            self._throttler.release(run.job.id, run.owner)
        except (StoreError, LeaseLost):
            pass  # Then its lease lapses.


def look_again_in(
    lapses_in: float | None, retry_interval: float, free_in: float | None = None
) -> float:
    """Seconds until it is worth asking again for what another holds; see Held."""
    wait = jittered(retry_interval)
    if free_in is not None:
        # An end that is far away is worth no look before, one that is near is not to be missed.
        wait = min(wait, max(free_in, jittered(retry_interval / 5)))
    return wait if lapses_in is None else min(wait, lapses_in)
