"""`sqsjkr-gevent` without a command: the kicker."""

from ..kicker import Kicker
from ..kicker.own_process import settle_in
from ..log import configure
from .loading import load
from .settings import Settings


def run(settings: Settings) -> None:
    """Run a kicker until a signal stops it."""
    config = load(settings)
    configure(config.log.level, config.log.format)
    kicker = Kicker(config)
    settle_in()
    kicker.run()
