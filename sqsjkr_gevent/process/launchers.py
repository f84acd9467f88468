"""Chooses the launcher."""

from ..errors import ConfigError
from ..log import get_logger
from .launcher import Launcher
from .libc import Unsupported
from .plain import PlainLauncher
from .spawn import SpawnLauncher

log = get_logger(__name__)


def make_launcher(kind: str) -> Launcher:
    """kind: "spawn", "plain", or "auto" for spawn if the system supports it. Raises ConfigError."""
    if kind == "plain":
        return PlainLauncher()
    try:
        return SpawnLauncher()
    except Unsupported as reason:
        if kind == "spawn":
            raise ConfigError(
                f'kicker.launcher: "spawn" is not supported here, use "auto": {reason}'
            ) from reason
        log.warning("using the slow launcher", launcher="plain", reason=str(reason))
        return PlainLauncher()
