"""The slots: how many jobs run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
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

    @contextmanager
    def occupied(self, run: Run) -> Iterator[None]:
        """Occupy a slot for the block, waiting for one. Raises OverLifeTime or Stopping.

        The permit goes with the slot: what follows, as a call that releases a lock, needs neither.
        """
        me: Any = gevent.getcurrent()
        run.permit.at_slot()
        with self._room.waiting(run.life_left()):
            self._pool.add(me)
        try:
            run.permit.in_slot()
            yield
        finally:
            self._pool.discard(me)
            run.permit.give()
