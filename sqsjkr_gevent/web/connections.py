"""The connections of the web server: their time limits, and which one is closed at the maximum.

In both cases the connection ends because its socket is shut down: its greenlet gets an error when
it reads or writes. Nothing is raised anywhere else.
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

#: Bytes of a response that a client must read within one time limit.
PIECE = 64 * 1024


class Connection(WSGIHandler):
    """One connection, from its first request to its last."""

    #: Seconds that it may be idle. Proxies and load balancers close idle connections after 60, so
    #: they never send a request into a connection that is just being closed here.
    idle_for = 75.0
    #: Seconds from the first byte of a request to the end of its headers.
    headers_within = 10.0
    #: Seconds for a request with a body and its response; only a login has a body.
    body_within = 30.0
    #: Seconds within which a client must read each piece of a response.
    piece_within = 30.0

    ignored_socket_errors = (
        *WSGIHandler.ignored_socket_errors,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EBADF,  # gevent's error for a socket that another greenlet has shut down
    )

    server: "Server"

    def __init__(self, sock: Any, address: Any, server: "Server") -> None:
        super().__init__(sock, address, server)
        self._shut_down = sock.shutdown
        self._timer: Any = None

    def shut(self) -> None:
        """End it, whatever it waits for."""
        try:
            self._shut_down(socket.SHUT_RDWR)
        except OSError:
            pass  # It has already ended.

    def handle(self) -> None:
        """Handle all of its requests."""
        try:
            super().handle()
        except OSError:
            pass  # The client left before it got the error response.
        finally:
            self._limit(None)
            self.server.waiting.leave(self)
            self.server.responding.leave(self)

    def read_requestline(self) -> str:
        """Wait for a request."""
        self.server.waiting.enter(self)
        self._limit(self.idle_for)
        self.rfile.peek(1)
        self._limit(self.headers_within)
        return str(super().read_requestline())

    def read_request(self, raw_requestline: str) -> bool:  # type: ignore[override]  # it is a bool
        """Read the headers. Raises ValueError, for a 400 response."""
        try:
            super().read_request(raw_requestline)
        except (OSError, HTTPException) as error:
            raise ValueError(str(error)) from error
        if "transfer-encoding" in self.headers:
            raise ValueError("a body without a length")
        if (self.content_length or 0) > MAX_BODY:
            # The app rejects it by its header, and the rest of the body is never read.
            self.content_length = MAX_BODY
            self.close_connection = True
        return True

    def handle_one_response(self) -> None:
        """Respond to a request."""
        self.server.waiting.leave(self)
        self.server.responding.enter(self)
        self._limit(self.body_within if self.content_length else None)
        super().handle_one_response()
        self.server.responding.leave(self)

    def write(self, data: bytes) -> None:
        """Send a part of the response."""
        for start in range(0, len(data) or 1, PIECE):
            if not self.content_length:
                self._limit(self.piece_within)
            super().write(data[start : start + PIECE])

    def log_error(self, msg: str, *args: object) -> None:
        """Log a malformed request, at debug level: clients control its text and frequency."""
        log.debug("bad request", client=self.client_address, reason=msg % args if args else msg)

    def _limit(self, seconds: float | None) -> None:
        """Shut it after that time, unless another call changes the limit before. None: no limit."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
        if seconds is not None:
            self._timer = get_hub().loop.timer(seconds)
            self._timer.start(self.shut)


class Crowd:
    """Connections in the same phase. At more than `limit`, the one longest in it is shut."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside: dict[Connection, None] = {}  # in order of arrival

    def enter(self, one: Connection) -> None:
        """Add a connection."""
        self._inside[one] = None
        if len(self._inside) > self._limit:
            longest = next(iter(self._inside))
            del self._inside[longest]
            longest.shut()

    def leave(self, one: Connection) -> None:
        """Remove a connection, if it is there."""
        self._inside.pop(one, None)


class Server(WSGIServer):
    """Serves an app with up to `limit` connections at a time.

    Up to half of them may wait for a request, and one less than the rest may be in a response. So
    there is always room for a new one: the connection that is longest in its phase is shut.
    """

    handler_class = Connection

    def __init__(self, listener: Any, app: Any, limit: int) -> None:
        self.waiting = Crowd(limit // 2)
        self.responding = Crowd(limit - limit // 2 - 1)
        super().__init__(
            listener,
            app,
            log=None,
            # Without its own pool, a server forgets its connections when it stops.
            spawn=Pool(limit),
            # gevent would look it up in the DNS, which delays the start.
            environ={"SERVER_NAME": "localhost"},
        )
