"""The slots: how many jobs run at a time."""

from contextlib import AbstractContextManager
from typing import Any

import gevent
from gevent.pool import Pool

from ..intake import WaitingRoom
from .run import Run


class Slots:
    """A gevent Pool that a job's own greenlet is in while its command runs."""

    def __init__(self, number: int, room: WaitingRoom) -> None:
        self._pool = Pool(number)
        self._room = room

    @property
    def busy(self) -> int:
        """How many slots have a running job."""
        return len(self._pool)

    @property
    def idle(self) -> int:
        """How many slots have none."""
        return int(self._pool.free_count())

    def occupied(self, run: Run) -> AbstractContextManager[None]:
        """Occupy a slot for the block, waiting for one. Raises OverLifeTime or Stopping.

        The permit goes with the slot: what follows, as a call that releases a lock, needs neither.
        """
        return _Slot(self._pool, self._room, run)


class _Slot:
    """The slot of a job. A class, since a generator would take six times its memory."""

    __slots__ = ("_pool", "_room", "_run")

    def __init__(self, pool: Pool, room: WaitingRoom, run: Run) -> None:
        self._pool = pool
        self._room = room
        self._run = run

    def __enter__(self) -> None:
        me: Any = gevent.getcurrent()
        self._run.permit.at_slot()
        with self._room.waiting(self._run.life_left()):
            self._pool.add(me)
        self._run.permit.in_slot()

    def __exit__(self, *_: object) -> None:
        me: Any = gevent.getcurrent()
        self._pool.discard(me)
        self._run.permit.give()
