"""What a process can do that a kicker has to itself."""

import gc

import gevent
from gevent.hub import Hub

from ..log import finalize


def settle_in() -> None:
    """Have this process spend less on each job; once the log is as it stays."""
    finalize()
    # Without the memory for a greenlet a job would stay where it is for ever: end, and start anew.
    Hub.SYSTEM_ERROR = (*Hub.SYSTEM_ERROR, MemoryError)
    # Where each greenlet was spawned, which only gevent's own debugging asks for.
    gevent.config.track_greenlet_tree = False
    # What lives until the end need not be looked at by every collection, and a job makes some
    # hundred objects: by default that is a collection every few jobs.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
