"""What a backend is: a locker and a throttler over one store."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..aws import Observer, Session
from ..config import Config
from .locker import LeasedLocker
from .throttler import LeasedThrottler


@dataclass(frozen=True, slots=True)
class Opening:
    """What a backend is made from.

    observer: gives the observer of a service's calls, by the service's name, such as "dynamodb".
    """

    config: Config
    session: Session
    observer: Callable[[str], Observer]


class Backend(Protocol):
    """Each module that config.backends.BACKENDS names has a class `Backend` like this.

    It is made from an Opening, connects to nothing before it is used, and makes the locker that
    `[locker]` describes and the throttler that `[throttler]` describes.
    """

    def check_visible(self) -> None:
        """Raises ConfigError or StartError if other processes cannot see its locks."""

    def locker(self) -> LeasedLocker:
        """The locker. Raises ConfigError if it cannot be made."""

    def throttler(self, retention: float) -> LeasedThrottler:
        """The throttler. retention: seconds to remember a done job. Raises ConfigError."""

    def check(self) -> str:
        """What `sqsjkr-gevent check` says of it, after trying it without changing anything.

        Raises StartError if it cannot be used, StoreError if it fails for now.
        """
