"""Serves an app over TCP or a unix socket, in the hub of the kicker."""

import errno
from pathlib import Path

from flask import Flask
from gevent import socket
from gevent.pywsgi import WSGIServer

from ..config import KickerSection
from ..errors import StartError

_BACKLOG = 128


class StatsServer:
    """Listens from its construction on; raises StartError where it cannot."""

    def __init__(self, app: Flask, section: KickerSection) -> None:
        self._path = section.stats_socket
        if self._path is None:
            listener = _listen_tcp(section.stats_host, section.stats_port)
        else:
            listener = _listen_unix(self._path)
        self.address = listener.getsockname()
        self._server = WSGIServer(listener, app, log=None)

    def start(self) -> None:
        """Serve from now on."""
        self._server.start()

    def stop(self) -> None:
        """Serve no more, and remove the socket file."""
        self._server.stop(timeout=1)
        if self._path is not None:
            Path(self._path).unlink(missing_ok=True)


def _listen_tcp(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it; without, headers and body cost a delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            f"set kicker.stats_host and kicker.stats_port, or --stats-port"
        ) from error
    return listener


def _listen_unix(path: str) -> socket.socket:
    try:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(
            f"cannot listen on the socket {path}: {error.strerror or error}; "
            f"set kicker.stats_socket, or --stats-socket"
        ) from error
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket file that nobody listens on; anything else there is an error."""
    file = Path(path)
    if not file.exists():
        return
    if not file.is_socket():
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        file.unlink()
    else:
        raise OSError(errno.EADDRINUSE, "another process listens on it")
    finally:
        probe.close()
