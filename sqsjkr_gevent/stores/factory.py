"""From the config to the lock and throttle stores: ours by name, a user's by module:Class."""

import importlib
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from ..aws import Observer, Session
from ..config import Config
from ..errors import ConfigError
from .backend import Backend, Opening
from .locker import LeasedLocker, Locker
from .throttler import LeasedThrottler, Throttler


@runtime_checkable
class Checked(Protocol):
    """A store that can be asked whether it works."""

    def check(self) -> None:
        """Raises StartError if it cannot be used, StoreError if it fails for now."""


def checks(*stores: object) -> list[Callable[[], None]]:
    """The check of each store that has one."""
    return [store.check for store in stores if isinstance(store, Checked)]


@runtime_checkable
class Closable(Protocol):
    """A store that has writes under way."""

    def close(self, timeout: float) -> None:
        """Finish them, in at most `timeout` seconds."""


class Stores:
    """Makes the stores that the config names. observer: as in Opening."""

    def __init__(
        self, config: Config, session: Session, observer: Callable[[str], Observer]
    ) -> None:
        self._config = config
        self._opening = Opening(config, session, observer)
        self._backends: dict[str, Backend] = {}

    def locker(self) -> Locker | LeasedLocker:
        """What `[locker]` names. Raises ConfigError if it cannot be made."""
        name = self._config.locker.backend
        if is_custom(name):
            custom: Locker = _load(name, "locker.backend", ("lock", "unlock"))
            return custom
        return self.backend(name).locker()

    def throttler(self, retention: float) -> Throttler | LeasedThrottler:
        """What `[throttler]` names. retention: seconds, if the section has none.

        Raises ConfigError if it cannot be made.
        """
        section = self._config.throttler
        if is_custom(section.backend):
            custom: Throttler = _load(section.backend, "throttler.backend", ("set", "unset"))
            return custom
        return self.backend(section.backend).throttler(section.retention or retention)

    def backend(self, name: str) -> Backend:
        """The backend of that name in config.backends.BACKENDS; only its own module is imported.

        Raises ConfigError if a package that it needs is not installed.
        """
        if name not in self._backends:
            module = importlib.import_module(f".{name}", __package__)
            self._backends[name] = module.Backend(self._opening)
        return self._backends[name]


def is_custom(backend: str) -> bool:
    """Whether that is a user's own, `package.module:Class`."""
    return ":" in backend


def _load(path: str, key: str, methods: tuple[str, ...]) -> Any:
    """An instance of `package.module:Class`, called without arguments."""
    module, _, name = path.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise ConfigError(f"{key} = {path!r}: cannot be made: {error!r}") from error
    missing = [method for method in methods if not callable(getattr(made, method, None))]
    if missing:
        raise ConfigError(f"{key} = {path!r}: it has no method {', '.join(missing)}")
    return made
