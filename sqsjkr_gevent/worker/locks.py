"""A job's lock: waited for in the order of arrival, held for the block, kept from lapsing."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import gevent
from gevent.event import Event
from gevent.pool import Group

from ..backoff import Backoff
from ..errors import AlreadyLocked, LeaseLost, StoreError
from ..intake import WaitingRoom
from ..log import get_logger
from ..stores import LeasedLocker, NoLocker
from .claims import look_again_in
from .hold_times import HoldTimes
from .keeper import Keeper
from .run import Run

log = get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Turn:
    """A run's permit in the line for a lock. come: it is the first."""

    run: Run
    come: Event = field(default_factory=Event)


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
        # Who holds or waits for a lock in this process, in order of arrival.
        self._lines: dict[str, deque[_Turn]] = {}
        self._held_for = HoldTimes(keeper.clock)
        self._later = Group()

    @contextmanager
    def held(self, run: Run) -> Iterator[int | None]:
        """Hold the lock that the job asks for, if any; gives its fencing token.

        Raises AlreadyLocked where the job does not wait for it, OverLifeTime, Stopping, StoreError.
        """
        lock_id = run.job.lock_id
        if lock_id is None or isinstance(self._locker, NoLocker):
            yield None
            return
        with self._turn(run, lock_id):
            asked_at, token = self._acquire(run, lock_id)
            try:
                with self._held_for.measured(lock_id), self._kept(run, lock_id, asked_at):
                    yield token
            finally:
                self._release(run, lock_id)

    @contextmanager
    def _turn(self, run: Run, lock_id: str) -> Iterator[None]:
        """Be the first of this process's jobs that ask for the lock."""
        line = self._lines.setdefault(lock_id, deque())
        if line and run.job.abort_if_locked:
            raise AlreadyLocked(f"lock {lock_id!r} is held by this kicker")
        turn = _Turn(run)
        line.append(turn)
        try:
            if line[0] is not turn:
                log.info("waits for its lock", holder=line[0].run.owner, **run.names())
                with (
                    run.waiting("lock", lambda: line[0].run.owner),
                    run.permit.lent(),
                    self._room.waiting(run.life_left()),
                ):
                    turn.come.wait()
            yield
        finally:
            line.remove(turn)
            if line:
                line[0].come.set()
            else:
                del self._lines[lock_id]

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
                    free_in=self._held_for.of(lock_id, len(self._lines[lock_id])),
                )
                return asked_at, token
            except AlreadyLocked as held:
                if job.abort_if_locked:
                    raise
                log.info("waits for its lock", reason=str(held), **run.names())
                # Of one who has it longer than was expected, nothing is expected any more.
                is_late = held.holder is not None and held.holder == holder
                free_in = None if is_late else held.free_in
                holder = held.holder
                wait = look_again_in(held.lapses_in, self._retry_interval, free_in)
                with (
                    run.waiting("lock", held.of),
                    run.permit.lent(),
                    self._room.waiting(run.life_left()),
                ):
                    gevent.sleep(wait)
            except StoreError:
                # It may have been heard although its answer was lost. A locker without leases knows
                # no owners: there it could be another's lock that is released.
                if self._locker.lease is not None:
                    self._release(run, lock_id)
                raise

    @contextmanager
    def _kept(self, run: Run, lock_id: str, asked_at: float) -> Iterator[None]:
        if self._locker.lease is None:
            yield
            return
        kept = self._keeper.keep(
            "lock",
            self._locker.lease,
            lambda: self._locker.renew(lock_id, run.owner),
            run.lose,
            since=asked_at,
            names=run.names,
        )
        run.leases.add(kept)
        try:
            yield
        finally:
            run.leases.discard(kept)
            kept.release()

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
