"""The host names under which a kicker may be requested, as a defense against DNS rebinding.

A foreign page can point its own name at this host's address, and then send requests like our page.
But the browser still puts the foreign name into the Host header.
"""

import time
from collections.abc import Iterable
from ipaddress import ip_address

import gevent
from gevent import socket

#: Seconds that a request waits for the DNS lookup of this host's full name, and between lookups.
LOOKUP_WITHIN = 2.0
LOOKUP_EVERY = 60.0


class Hosts:
    """This host's own names, and `names`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"localhost", *map(_plain, (socket.gethostname(), *names))}
        self._lookup: gevent.Greenlet[[], str] | None = None
        self._lookup_at = 0.0

    def knows(self, host: str | None) -> bool:
        """Whether a Host header, with or without a port, names this host.

        True for None, since browsers always send the header.
        """
        if host is None:
            return True
        name = name_of(host)
        return _is_address(name) or name in self._names or name == self._full_name()

    def _full_name(self) -> str:
        """This host's name in the DNS. That may be slow or down, so requests share one lookup."""
        now = time.monotonic()
        if self._lookup is None or (self._lookup.ready() and now - self._lookup_at > LOOKUP_EVERY):
            self._lookup, self._lookup_at = gevent.spawn(_look_up), now
        self._lookup.join(LOOKUP_WITHIN)
        return _plain(self._lookup.value or "localhost")


def _look_up() -> str:
    try:
        return str(socket.getfqdn())
    except (OSError, UnicodeError):  # UnicodeError: not a valid DNS name
        return ""


def name_of(host: str) -> str:
    """The name or address in a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return _plain(host.partition(":")[0])


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    """Whether it is an IP address, which cannot be rebound."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
