"""`sqsjkr-gevent` without a command: the kicker."""

import gc

import gevent

from ..kicker import Kicker
from .loading import load
from .settings import Settings


def run(settings: Settings) -> None:
    """Run a kicker until a signal stops it."""
    config = load(settings)
    kicker = Kicker(config)
    settle_in()
    kicker.run(log_level=config.log.level)


def settle_in() -> None:
    """Have this process spend less on each job; only for one that a kicker has to itself."""
    # Where each greenlet was spawned, which only gevent's own debugging asks for.
    gevent.config.track_greenlet_tree = False
    # What lives until the end need not be looked at by every collection, and a job makes some
    # hundred objects: by default that is a collection every few jobs.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
