"""The waiting room: jobs that have a message but wait, and do not run."""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from greenlet import greenlet

from ..errors import OverLifeTime, Stopping


class WaitingRoom:
    """Where jobs wait for a lock, a slot, their group or another host.

    A wait ends early by OverLifeTime if its time is up, and by Stopping once the room closes.
    Inside it a job only waits: an exception would cut a call to a server in half.
    """

    def __init__(self) -> None:
        # In order of arrival (a dict used as an ordered set).
        self._inside: dict[greenlet, None] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._inside)

    @contextmanager
    def waiting(self, seconds: float | None = None) -> Iterator[None]:
        """Bound the waits of the block to `seconds`. Raises OverLifeTime or Stopping."""
        if self._closed:
            raise Stopping("the kicker stops")
        if seconds is not None and seconds <= 0:
            raise OverLifeTime("its life_time is over")
        me = gevent.getcurrent()
        with gevent.Timeout(seconds, OverLifeTime("its life_time is over")):
            self._inside[me] = None
            try:
                yield
            finally:
                self._inside.pop(me, None)

    def close(self) -> None:
        """End all waits, now and from now on, by Stopping."""
        self._closed = True
        loop = gevent.get_hub().loop
        for inside in tuple(self._inside):
            loop.run_callback(self._put_out, inside)

    def _put_out(self, inside: greenlet) -> None:
        # In the hub, so that whoever is inside is suspended in its wait at this very moment.
        if inside in self._inside:
            inside.throw(Stopping("the kicker stops"))
