"""Unix sockets, over which the processes of a fleet exchange their state."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer

from ..errors import StoreError
from ..unix_socket import short
from ..web import ProcessState

#: Seconds to wait for a process's whole reply; it may hang.
ANSWER_WITHIN = 1.0

#: Bytes of a reply at most. One that lists as many jobs as it may has less than one mebibyte, if
#: their names are not absurd.
MAX_REPLY = 16 << 20

_PIECE = 65536

_PID = re.compile(r"[0-9]+")

#: What parsing raises for a reply that is no state.
_SENSELESS = (AttributeError, KeyError, RecursionError, TypeError, ValueError)


class Peers:
    """The sockets are files in `directory`, each named after the pid of its process.

    pid: this process's. tell: returns the state of this process.
    """

    def __init__(self, directory: Path, pid: int, tell: Callable[[], ProcessState]) -> None:
        self._directory = directory
        self._name = str(pid)
        self._tell = tell
        self._server: StreamServer | None = None

    def start(self) -> None:
        """Reply to the others from now on. Raises OSError."""
        path = self._directory / self._name
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short(path) as address:
            listener.bind(address)
        listener.listen(128)
        self._server = StreamServer(listener, self._answer)
        self._server.start()

    def stop(self) -> None:
        """Stop replying."""
        if self._server is not None:
            (self._directory / self._name).unlink(missing_ok=True)
            self._server.stop(timeout=1)

    def states(self) -> list[ProcessState]:
        """The state of each process, this one first; of some it is that they do not answer.

        Raises StoreError if the directory is gone.
        """
        try:
            files = sorted(self._directory.iterdir())
        except OSError as error:
            raise StoreError(f"cannot find the processes of the fleet: {error}") from error
        others = [path for path in files if path.name != self._name and _PID.fullmatch(path.name)]
        asked = [gevent.spawn(_ask, path) for path in others]
        gevent.joinall(asked)
        return [self._tell(), *(answer.value for answer in asked if answer.value is not None)]

    def _answer(self, connection: Any, _: object) -> None:
        connection.settimeout(ANSWER_WITHIN)
        try:
            connection.sendall(json.dumps(self._tell().as_json()).encode())
        except OSError:
            pass  # The other process is gone.


def _ask(path: Path) -> ProcessState | None:
    """The state of that process, None if it has ended."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            until = time.monotonic() + ANSWER_WITHIN
            connection.settimeout(ANSWER_WITHIN)
            with short(path) as address:
                connection.connect(address)
            told = _reply(connection, until)
    except (FileNotFoundError, ConnectionError):
        return None  # It has ended, or is ending.
    except OSError:
        return ProcessState.silent(int(path.name))
    if not told:
        return None
    try:
        return ProcessState.from_json(json.loads(told))
    except _SENSELESS:  # Killed while it replied, or no version we know.
        return ProcessState.silent(int(path.name))


def _reply(connection: Any, until: float) -> bytes:
    """All that it sends. Raises OSError if that does not end in time, or is too much."""
    told = bytearray()
    while piece := connection.recv(_PIECE):
        told += piece
        left = until - time.monotonic()
        if left <= 0 or len(told) > MAX_REPLY:
            raise TimeoutError(f"no end after {len(told)} bytes")
        connection.settimeout(left)
    return bytes(told)
