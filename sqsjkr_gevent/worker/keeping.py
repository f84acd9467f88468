"""What runs beside jobs for as long as there may be some: the keeper's loop, and the watcher."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent

from .wiring import Parts


@contextmanager
def keeping(
    parts: Parts, beat: Callable[[], None], on_death: Callable[[BaseException | None], None]
) -> Iterator[None]:
    """Keep leases and processes for the block; jobs may run in it only.

    beat: called with each turn of the loop. on_death: told why the loop ended that must not.
    Raises StartError.
    """
    parts.runs.open()
    parts.guard.start()
    loop = gevent.spawn(parts.keeper.loop, beat)
    loop.link_exception(lambda dead: on_death(dead.exception))
    try:
        yield
    finally:
        parts.keeper.stop()
        loop.join()
        parts.guard.stop()
        parts.runner.close()
        parts.launcher.close()
        parts.runs.close()
