"""HTTP/1.1 over persistent connections: one write and, as a rule, one read for each request.

It speaks as much HTTP as AWS's JSON services do: requests are complete, and so are responses.
"""

import re
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gevent import monkey

from ..clock import Clock

# Unpatched, because it never waits.
_poll: Callable[[], Any] = monkey.get_original("select", "poll")

#: Bytes of the first read: enough for a response with ten short messages.
_FIRST_READ = 16 * 1024

#: Bytes of one further read.
_READ = 256 * 1024

#: Bytes of the headers of a response.
_MAX_HEAD = 64 * 1024

#: A connection that was idle for this many seconds is not used again: what is between it and the
#: service may have forgotten it. AWS's load balancers close idle connections after 60 s or later.
MAX_IDLE = 50.0

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n|$)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r\n|$)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*(?:\r\n|$)", re.IGNORECASE)


class WireError(Exception):
    """A request got no response. Its cause, if any, is an OSError."""


class CannotConnect(WireError):
    """No connection could be made."""


class ConnectTimedOut(CannotConnect):
    """No connection was made in time."""


class ReadTimedOut(WireError):
    """No byte of the response came in time."""


class Closed(WireError):
    """The connection was closed before the end of the response."""


class Unreadable(WireError):
    """The response is not HTTP/1.x."""


class Response(NamedTuple):
    """An HTTP response. head: its status line and headers, without the blank line."""

    status: int
    head: bytes
    body: bytes

    def headers(self) -> dict[str, str]:
        """Its headers, by the names as they were sent."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        return {name.strip(): value.strip() for name, value in pairs}


class Connections:
    """Connections to one host, which are kept for further requests.

    tls: None for plain HTTP. connect_timeout, read_timeout: seconds; the latter without a byte of
    the response. clock: monotonic seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        connect_timeout: float,
        read_timeout: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._address = (host, port)
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._clock = clock
        # The one used last is used next, so that those beyond the need of the hour grow old.
        self._idle: list[tuple[_Connection, float]] = []

    def exchange(self, request: bytes) -> Response:
        """Send a complete request and read its response. Raises WireError.

        A request is sent once: after a failure the service may have received it.
        """
        connection = self._take()
        try:
            response, is_reusable = connection.exchange(request)
        except TimeoutError as error:
            connection.close()
            raise ReadTimedOut(f"no response within {self._read_timeout:g} s") from error
        except OSError as error:
            connection.close()
            raise Closed(str(error)) from error
        except BaseException:
            # Whoever kills a call leaves half a response on its connection.
            connection.close()
            raise
        if is_reusable:
            self._idle.append((connection, self._clock()))
        else:
            connection.close()
        return response

    def _take(self) -> "_Connection":
        while self._idle:
            connection, idle_since = self._idle.pop()
            if self._clock() - idle_since < MAX_IDLE and connection.is_quiet():
                return connection
            connection.close()
        return self._open()

    def _open(self) -> "_Connection":
        try:
            opened = socket.create_connection(self._address, self._connect_timeout)
        except TimeoutError as error:
            raise ConnectTimedOut(str(error)) from error
        except OSError as error:
            raise CannotConnect(str(error)) from error
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is not None:
                opened = self._tls.wrap_socket(opened, server_hostname=self._address[0])
            opened.settimeout(self._read_timeout)
        except TimeoutError as error:
            opened.close()
            raise ConnectTimedOut(str(error)) from error
        except OSError as error:
            opened.close()
            raise CannotConnect(str(error)) from error
        except BaseException:
            opened.close()
            raise
        return _Connection(opened)


class _Connection:
    """One connection, with at most one request under way."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._poll = _poll()
        self._poll.register(opened.fileno(), select.POLLIN)

    def close(self) -> None:
        self._socket.close()

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last response: neither an end nor a stray byte."""
        return not self._poll.poll(0)

    def exchange(self, request: bytes) -> tuple[Response, bool]:
        """Send and read. Also returns whether the connection can be used again. Raises OSError."""
        self._socket.sendall(request)
        head, _, rest = self._read_head().partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
            raise Unreadable(f"not an HTTP response: {head[:40]!r}")
        length = _LENGTH.search(head)
        if length is not None:
            body, rest = self._read(rest, int(length[1]))
        elif _CHUNKED.search(head) is not None:
            body, rest = self._read_chunks(rest)
        else:
            raise Unreadable("a response without its length")
        is_reusable = not rest and head.startswith(b"HTTP/1.1") and _CLOSE.search(head) is None
        return Response(int(head[9:12]), head, body), is_reusable

    def _receive(self, size: int) -> bytes:
        data = self._socket.recv(size)
        if not data:
            raise ConnectionResetError("closed by the server")
        return data

    def _read_head(self) -> bytes:
        """Bytes of the response up to the end of its headers, and what came with them."""
        data = self._receive(_FIRST_READ)
        while b"\r\n\r\n" not in data:
            if len(data) > _MAX_HEAD:
                raise Unreadable(f"more than {_MAX_HEAD} bytes of headers")
            data += self._receive(_FIRST_READ)
        return data

    def _read(self, rest: bytes, length: int) -> tuple[bytes, bytes]:
        """A body of that length, which begins with `rest`, and what came after it."""
        if len(rest) >= length:
            return rest[:length], rest[length:]
        pieces, missing = [rest], length - len(rest)
        while missing > 0:
            piece = self._receive(min(missing, _READ))
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces), b""

    def _read_chunks(self, rest: bytes) -> tuple[bytes, bytes]:
        """As _read(), of a body in chunks. Trailers are not expected."""
        body = b""
        while True:
            while b"\r\n" not in rest:
                rest += self._receive(_FIRST_READ)
            size, _, rest = rest.partition(b"\r\n")
            try:
                length = int(size.split(b";")[0], 16)
            except ValueError:
                raise Unreadable(f"not the size of a chunk: {size[:40]!r}") from None
            chunk, rest = self._read(rest, length + 2)
            if length == 0:
                return body, rest
            body += chunk[:length]
