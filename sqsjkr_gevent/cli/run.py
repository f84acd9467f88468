"""`sqsjkr-gevent` without a command: the kicker."""

from ..kicker import Kicker
from .loading import load
from .settings import Settings


def run(settings: Settings) -> None:
    """Run a kicker until a signal stops it."""
    config = load(settings)
    Kicker(config).run(log_level=config.log.level)
