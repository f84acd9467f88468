"""Loads the config that the options name."""

import os
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..config import Config
from ..log import configure
from .settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def load(settings: Settings) -> Config:
    """Load the config and apply the options. Raises ConfigError."""
    config = Config.load(settings.file, overrides=settings.overrides)
    settings.debug = config.log.level == "debug"
    _bypass_proxy_for_loopback(config.account.endpoint_url)
    return config


def load_quietly(settings: Settings) -> Config:
    """Load the config, and log only warnings unless --log-level is given. Raises ConfigError."""
    config = load(settings)
    has_level = settings.overrides.get("log__level") is not None
    configure(config.log.level if has_level else "warn", config.log.format)
    return config


def _bypass_proxy_for_loopback(endpoint_url: str | None) -> None:
    """Exclude loopback from the proxy that botocore would use: a proxy cannot reach it."""
    host = urlsplit(endpoint_url or "").hostname
    if host in _LOOPBACK and "http" in getproxies():
        excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        os.environ["no_proxy"] = f"{excluded},{host}".lstrip(",")
