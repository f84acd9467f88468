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
        """Jobs that run."""
        return len(self._pool)

    @property
    def idle(self) -> int:
        """Slots in which none runs."""
        return int(self._pool.free_count())

    @contextmanager
    def held(self, run: Run) -> Iterator[None]:
        """Hold a slot for the block. Raises OverLifeTime or Stopping while there is none."""
        me: Any = gevent.getcurrent()
        with self._room.waiting(run.life_left()):
            self._pool.add(me)
        try:
            yield
        finally:
            self._pool.discard(me)
