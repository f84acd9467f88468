"""No locks and no memory of done jobs."""

from ..errors import ConfigError
from .backend import Opening
from .locker import NoLocker
from .throttler import NoThrottler

#: What the lack of locks means, for people.
NO_LOCKS = "there are no locks: the backend of [locker] is none"


class Backend:
    """See backend.Backend."""

    def __init__(self, opening: Opening) -> None:
        """There is nothing to open."""

    def locker(self) -> NoLocker:
        """See backend.Backend."""
        return NoLocker()

    def throttler(self, retention: float) -> NoThrottler:
        """See backend.Backend."""
        return NoThrottler()

    def check_visible(self) -> None:
        """See backend.Backend."""
        raise ConfigError(NO_LOCKS)

    def check(self) -> str:
        """See backend.Backend."""
        return "backend 'none' needs no store"
