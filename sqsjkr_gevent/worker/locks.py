"""A job's lock: waited for in order of arrival, held for the block, its lease renewed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import gevent
from gevent.pool import Group

from ..backoff import Backoff
from ..errors import AlreadyLocked, LeaseLost, StoreError
from ..intake import WaitingRoom
from ..log import get_logger
from ..stores import LeasedLocker, NoLocker
from .claims import next_try_in
from .hold_times import HoldTimes
from .keeper import Keeper
from .line import Lines
from .run import Run

log = get_logger(__name__)


class Locks:
    """Takes and keeps locks. retry_interval: seconds between two tries at another host's lock."""

    def __init__(
        self,
        locker: LeasedLocker,
        keeper: Keeper,
        room: WaitingRoom,
        *,
        retry_interval: float,
    ) -> None:
        self._locker = locker
        self._keeper = keeper
        self._room = room
        self._retry_interval = retry_interval
        self._lines = Lines("lock", room)
        self._hold_times = HoldTimes(keeper.clock)
        self._later = Group()

    def holding(self, run: Run) -> AbstractContextManager[int | None]:
        """Hold the lock that the job asks for, if any; yields its fencing token.

        Raises AlreadyLocked if the job does not wait for it, OverLifeTime, Stopping, StoreError.
        """
        lock_id = run.job.lock_id
        if lock_id is None or isinstance(self._locker, NoLocker):
            return nullcontext()
        return self._holding(run, lock_id)

    @contextmanager
    def _holding(self, run: Run, lock_id: str) -> Iterator[int | None]:
        if run.job.abort_if_locked and self._lines.length(lock_id):
            raise AlreadyLocked(f"lock {lock_id!r} is held by this kicker")
        with self._lines.first(lock_id, run, run.life_left()):
            asked_at, token = self._acquire(run, lock_id)
            try:
                with self._hold_times.measured(lock_id), self._leased(run, lock_id, asked_at):
                    yield token
            finally:
                self._release(run, lock_id)

    def _acquire(self, run: Run, lock_id: str) -> tuple[float, int | None]:
        job = run.job
        holder = None
        while True:
            asked_at = self._keeper.clock()
            try:
                token = self._locker.acquire(
                    lock_id,
                    job.event_id,
                    owner=run.owner,
                    heir_of=run.heir_of,
                    free_in=self._hold_times.of(lock_id, self._lines.length(lock_id)),
                )
                return asked_at, token
            except AlreadyLocked as taken:
                if job.abort_if_locked:
                    raise
                log.info("waits for its lock", reason=str(taken), **run.names())
                # A holder that is later than it expected no longer knows when it will end.
                is_late = taken.holder is not None and taken.holder == holder
                free_in = None if is_late else taken.free_in
                holder = taken.holder
                wait = next_try_in(taken.lapses_in, self._retry_interval, free_in)
                with run.waiting(self._room, "lock", taken.get_holder, run.life_left()):
                    gevent.sleep(wait)
            except StoreError:
                # The store may have granted it although its answer was lost. A locker without
                # leases knows no owners: there this could release somebody else's lock.
                if self._locker.lease is not None:
                    self._release(run, lock_id)
                raise

    @contextmanager
    def _leased(self, run: Run, lock_id: str, asked_at: float) -> Iterator[None]:
        if self._locker.lease is None:
            yield
            return
        lease = self._keeper.keep(
            "lock",
            self._locker.lease,
            lambda: self._locker.renew(lock_id, run.owner),
            run.lose,
            since=asked_at,
            names=run.names,
        )
        run.leases.add(lease)
        try:
            yield
        finally:
            run.leases.discard(lease)
            lease.release()

    def _release(self, run: Run, lock_id: str) -> None:
        try:
            self._locker.release(lock_id, run.owner)
        except (LeaseLost, StoreError) as error:
            log.warning("lock not released", reason=str(error), **run.names())
            if isinstance(error, StoreError) and self._locker.lease is not None:
                self._later.spawn(self._release_later, run, lock_id, self._locker.lease)

    def _release_later(self, run: Run, lock_id: str, lease: float) -> None:
        """Try again until the lease has lapsed: others wait for that lock."""
        backoff = Backoff(1.0, 5.0)
        until = self._keeper.clock() + lease
        while self._keeper.clock() < until:
            gevent.sleep(backoff.failed())
            try:
                self._locker.release(lock_id, run.owner)
            except StoreError:
                continue
            except LeaseLost:
                return
            log.info("lock released", **run.names())
            return
