"""A worker for Amazon SQS: each message names a shell command; it runs it and settles the message.

Importing this package patches nothing and loads nothing else, so that `__main__` can patch first.
A program that runs a Kicker starts with `from gevent import monkey; monkey.patch_all()`.

What a Kicker accepts in place of its own parts: a Locker or LeasedLocker, a Throttler or
LeasedThrottler, a History, and a Queue. A ListedLocker also answers `sqsjkr-gevent locks`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config as Config
    from .errors import AlreadyLocked as AlreadyLocked
    from .errors import ConfigError as ConfigError
    from .errors import DuplicatedMessage as DuplicatedMessage
    from .errors import SqsjkrError as SqsjkrError
    from .intake import Queue as Queue
    from .kicker import Kicker as Kicker
    from .message import Message as Message
    from .stores import Holder as Holder
    from .stores import LeasedLocker as LeasedLocker
    from .stores import LeasedThrottler as LeasedThrottler
    from .stores import ListedLocker as ListedLocker
    from .stores import Locker as Locker
    from .stores import Throttler as Throttler
    from .telemetry import History as History
    from .web import create_app as create_app

__version__ = "0.1.0"

#: Where each name is; it is loaded with its first use.
_HOMES = {
    "AlreadyLocked": "errors",
    "Config": "config",
    "ConfigError": "errors",
    "DuplicatedMessage": "errors",
    "History": "telemetry",
    "Holder": "stores",
    "Kicker": "kicker",
    "LeasedLocker": "stores",
    "LeasedThrottler": "stores",
    "ListedLocker": "stores",
    "Locker": "stores",
    "Message": "message",
    "Queue": "intake",
    "SqsjkrError": "errors",
    "Throttler": "stores",
    "create_app": "web",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  (all of them are strings)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
