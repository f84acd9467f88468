"""A worker for Amazon SQS: each message names a shell command; it runs it and settles the message.

Importing this package patches nothing and loads nothing else, so that `__main__` can patch first.
A program that runs a Kicker starts with `from gevent import monkey; monkey.patch_all()`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config as Config
    from .errors import AlreadyLocked as AlreadyLocked
    from .errors import DuplicatedMessage as DuplicatedMessage
    from .errors import SqsjkrError as SqsjkrError
    from .kicker import Kicker as Kicker
    from .locker import Locker as Locker
    from .throttler import Throttler as Throttler

__version__ = "0.1.0"

_HOMES = {
    "AlreadyLocked": "errors",
    "Config": "config",
    "DuplicatedMessage": "errors",
    "Kicker": "kicker",
    "Locker": "locker",
    "SqsjkrError": "errors",
    "Throttler": "throttler",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  (all of them are strings)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
