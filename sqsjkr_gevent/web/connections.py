"""The connections of the web face: how long one may take for what, and who goes where it is full.

A time limit and a lack of places end a connection in one way: its socket is shut down, which is an
error to whoever reads from it or writes to it. Nothing is raised anywhere else.
"""

import errno
from http.client import HTTPException
from typing import Any

from gevent import get_hub, socket
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from ..log import get_logger
from .app import MAX_BODY

log = get_logger(__name__)

#: Bytes of an answer that a reader has to take within one limit.
PIECE = 64 * 1024


class Connection(WSGIHandler):
    """One connection, from its first request to its last one."""

    #: Seconds that it may be idle: more than the 60 after which proxies and load balancers close
    #: theirs, so that none sends a request into a connection that is just being closed.
    idle_for = 75.0
    #: Seconds from the first byte of a request to the end of its headers.
    headers_within = 10.0
    #: Seconds for the body of a request and its answer; only a login has one.
    body_within = 30.0
    #: Seconds within which each piece of an answer has to be taken.
    piece_within = 30.0

    ignored_socket_errors = (
        *WSGIHandler.ignored_socket_errors,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EBADF,  # as gevent has it for one that was shut down by another greenlet
    )

    server: "Server"

    def __init__(self, sock: Any, address: Any, server: "Server") -> None:
        super().__init__(sock, address, server)
        self._shut_down = sock.shutdown
        self._timer: Any = None

    def shut(self) -> None:
        """Have it end, whatever it waits for."""
        try:
            self._shut_down(socket.SHUT_RDWR)
        except OSError:
            pass  # It has ended.

    def handle(self) -> None:
        """All of its requests."""
        try:
            super().handle()
        except OSError:
            pass  # The client has gone before it was told that its request was wrong.
        finally:
            self._limit(None)
            self.server.waiting.leave(self)
            self.server.answering.leave(self)

    def read_requestline(self) -> str:
        """Wait for a request."""
        self.server.waiting.enter(self)
        self._limit(self.idle_for)
        self.rfile.peek(1)
        self._limit(self.headers_within)
        return str(super().read_requestline())

    def read_request(self, raw_requestline: str) -> bool:  # type: ignore[override]  # it is a bool
        """Read the headers; ValueError for what is answered with a 400."""
        try:
            super().read_request(raw_requestline)
        except (OSError, HTTPException) as error:
            raise ValueError(str(error)) from error
        if "transfer-encoding" in self.headers:
            raise ValueError("a body without a length")
        if (self.content_length or 0) > MAX_BODY:
            # The app refuses it by its header; what is beyond is never read.
            self.content_length = MAX_BODY
            self.close_connection = True
        return True

    def handle_one_response(self) -> None:
        """Answer a request."""
        self.server.waiting.leave(self)
        self.server.answering.enter(self)
        self._limit(self.body_within if self.content_length else None)
        super().handle_one_response()
        self.server.answering.leave(self)

    def write(self, data: bytes) -> None:
        """Send a part of the answer."""
        for start in range(0, len(data) or 1, PIECE):
            if not self.content_length:
                self._limit(self.piece_within)
            super().write(data[start : start + PIECE])

    def log_error(self, msg: str, *args: object) -> None:
        """Note a request that is none. Clients choose its text, and how often they send it."""
        log.debug("bad request", client=self.client_address, reason=msg % args if args else msg)

    def _limit(self, seconds: float | None) -> None:
        """Shut it after that time, unless there is another limit by then, or none."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
        if seconds is not None:
            self._timer = get_hub().loop.timer(seconds)
            self._timer.start(self.shut)


class Crowd:
    """Connections that do the same. Of more than `most` the one goes that does it longest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: dict[Connection, None] = {}  # in the order in which they came

    def enter(self, one: Connection) -> None:
        """It begins."""
        self._inside[one] = None
        if len(self._inside) > self._most:
            longest = next(iter(self._inside))
            del self._inside[longest]
            longest.shut()

    def leave(self, one: Connection) -> None:
        """It is done, if it was there."""
        self._inside.pop(one, None)


class Server(WSGIServer):
    """Serves an app with `most` connections at a time.

    Half of them may wait for a request, and almost half be answered, so there is always a place
    for a new one: for its sake the connection goes that is idle, or being answered, for longest.
    """

    handler_class = Connection

    def __init__(self, listener: Any, app: Any, most: int) -> None:
        self.waiting = Crowd(most // 2)
        self.answering = Crowd(most - most // 2 - 1)
        super().__init__(
            listener,
            app,
            log=None,
            # Without a pool of its own a server forgets its connections when it stops.
            spawn=Pool(most),
            # gevent would ask the DNS for it, and a start would wait for that.
            environ={"SERVER_NAME": "localhost"},
        )
