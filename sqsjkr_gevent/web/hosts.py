"""The names by which a kicker may be asked.

A page from elsewhere can give its own name this host's address, and then ask like one of ours (DNS
rebinding). The name stays its own, though, and the browser puts it into the Host header.
"""

import time
from collections.abc import Iterable
from ipaddress import ip_address

import gevent
from gevent import socket

#: Seconds that a request waits for this host's full name, and for which that is not asked for anew.
LOOK_WITHIN = 2.0
LOOK_EVERY = 60.0


class Hosts:
    """This host's own names, and `names`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"localhost", *map(_plain, (socket.gethostname(), *names))}
        self._look: gevent.Greenlet[[], str] | None = None
        self._looked_at = 0.0

    def has(self, host: str | None) -> bool:
        """Whether a Host header, with or without a port, names us. No browser leaves it out."""
        if host is None:
            return True
        name = name_of(host)
        return _is_address(name) or name in self._names or name == self._full_name()

    def _full_name(self) -> str:
        """As the DNS has it, which may be slow, or down: all who ask wait for one answer."""
        now = time.monotonic()
        if self._look is None or (self._look.ready() and now - self._looked_at > LOOK_EVERY):
            self._look, self._looked_at = gevent.spawn(_look_up), now
        self._look.join(LOOK_WITHIN)
        return _plain(self._look.value or "localhost")


def _look_up() -> str:
    try:
        return str(socket.getfqdn())
    except (OSError, UnicodeError):  # a name that the DNS cannot have
        return ""


def name_of(host: str) -> str:
    """The name or address in a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return _plain(host.partition(":")[0])


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    """An address cannot be given to anybody else."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
