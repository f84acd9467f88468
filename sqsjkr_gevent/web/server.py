"""Serves an app over TCP or a Unix socket, in the kicker's hub."""

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
    """A server for the app on that socket. Its stop() lets current responses finish.

    It gets a share of this process's descriptors, so clients cannot use up those that jobs need.
    """
    return Server(listener, app, descriptors.connections(descriptors.limit()))


class StatsServer:
    """Listens as soon as it is constructed. Raises StartError if it cannot."""

    def __init__(self, app: Flask, section: KickerSection) -> None:
        self._path = section.stats_socket
        listener = _listen_tcp(section) if self._path is None else _listen_unix(self._path)
        self.address = listener.getsockname()
        self._server = serving(listener, app)

    def start(self) -> None:
        """Start serving."""
        self._server.start()

    def stop(self) -> None:
        """Stop serving, and remove the socket file."""
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
        # Accepted sockets inherit it. Without it, each response waits for a delayed ACK.
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
