"""Serves an app over TCP or a unix socket, in the hub of the kicker."""

from pathlib import Path
from typing import Any

from flask import Flask
from gevent import socket

from .. import descriptors
from ..config import KickerSection
from ..errors import StartError
from ..unix_socket import remove_stale
from .connections import Server

_BACKLOG = 128


def serving(listener: socket.socket, app: Any) -> Server:
    """A server of the app on that socket; its stop() lets answers under way be given.

    It has a share of the descriptors of this process, so that no client can use up those of jobs.
    """
    return Server(listener, app, descriptors.connections(descriptors.limit()))


class StatsServer:
    """Listens from its construction on; raises StartError where it cannot."""

    def __init__(self, app: Flask, section: KickerSection) -> None:
        self._path = section.stats_socket
        listener = _listen_tcp(section) if self._path is None else _listen_unix(self._path)
        self.address = listener.getsockname()
        self._server = serving(listener, app)

    def start(self) -> None:
        """Serve from now on."""
        self._server.start()

    def stop(self) -> None:
        """Serve no more, and remove the socket file."""
        self._server.stop(timeout=1)
        if self._path is not None:
            Path(self._path).unlink(missing_ok=True)


def _listen_tcp(section: KickerSection) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            section.stats_host, section.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it; without, headers and body cost a delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(
            f"cannot listen on {section.stats_address}: {error.strerror or error}; "
            f"set kicker.stats_host and kicker.stats_port, or --stats-port"
        ) from error
    return listener


def _listen_unix(path: str) -> socket.socket:
    try:
        remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(
            f"cannot listen on the socket {path}: {error.strerror or error}; "
            f"set kicker.stats_socket, or --stats-socket"
        ) from error
    return listener
