"""`sqsjkr-gevent` without a command: the kicker."""

from .. import log as logs
from ..kicker import Kicker
from ..own_process import settle_in
from .loading import load
from .settings import Settings


def run(settings: Settings) -> None:
    """Run a kicker until a signal stops it."""
    config = load(settings)
    logs.configure(config.log.level, config.log.format)
    kicker = Kicker(config)
    settle_in()
    kicker.run()
