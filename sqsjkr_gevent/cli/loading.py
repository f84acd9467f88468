"""From the options to the config."""

import os
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..config import Config
from ..log import configure
from .settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def load(settings: Settings) -> Config:
    """The config, options applied. Raises ConfigError."""
    config = Config.load(settings.file, overrides=settings.overrides)
    settings.debug = config.log.level == "debug"
    _spare_loopback_the_proxy(config.account.endpoint_url)
    return config


def load_quietly(settings: Settings) -> Config:
    """The same, and only warnings are logged unless --log-level asks for more."""
    config = load(settings)
    asked = settings.overrides.get("log__level") is not None
    configure(config.log.level if asked else "warn", config.log.format)
    return config


def _spare_loopback_the_proxy(endpoint_url: str | None) -> None:
    """A proxy cannot reach this host's own loopback, and botocore would ask it to."""
    host = urlsplit(endpoint_url or "").hostname
    if host in _LOOPBACK and "http" in getproxies():
        spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        os.environ["no_proxy"] = f"{spared},{host}".lstrip(",")
