"""What runs while there may be jobs: the keeper's loop, and the watcher."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent

from .wiring import Parts


@contextmanager
def keeping(
    parts: Parts, beat: Callable[[], None], on_death: Callable[[BaseException | None], None]
) -> Iterator[None]:
    """Keep leases and watch processes for the block; jobs run only within it.

    beat: called at each turn of the loop. on_death: called with what ended the loop, which must
    not end. Raises StartError.
    """
    parts.processes.open()
    loop = gevent.spawn(parts.keeper.loop, beat)
    loop.link_exception(lambda dead: on_death(dead.exception))
    try:
        yield
    finally:
        parts.keeper.stop()
        loop.join()
        parts.processes.close()
