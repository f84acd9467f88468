"""Settings for a process that a kicker has to itself."""

import gc

import gevent
from gevent.hub import Hub

from ..log import finalize


def settle_in() -> None:
    """Have this process spend less on each job. Call it once the log is configured."""
    finalize()
    # Without memory for a greenlet, a job would hang. End the process instead: it starts anew.
    Hub.SYSTEM_ERROR = (*Hub.SYSTEM_ERROR, MemoryError)
    # Do not note where each greenlet was spawned; only gevent's debugging asks for that.
    gevent.config.track_greenlet_tree = False
    # Leave what lives until the end out of collections. A job makes some hundred objects, so by
    # default there is a collection every few jobs.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
