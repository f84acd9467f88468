"""Servers that give the answers that a test has written, over real sockets."""

from collections.abc import Sequence
from typing import Any

from gevent.server import StreamServer


def answer(status: bytes, body: bytes, more: bytes = b"", length: int | None = None) -> bytes:
    """One HTTP answer."""
    size = len(body) if length is None else length
    head = (
        b"HTTP/1.1 %s\r\nContent-Type: application/x-amz-json-1.0\r\n%sContent-Length: %d\r\n\r\n"
    )
    return head % (status, more, size) + body


def request_of(peer: Any) -> bytes:
    """Read one request; empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-l")
    )
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


class Scripted:
    """A server that gives these replies in turn, and the last one for ever.

    A reply of None is none at all; a list of bytes is sent piece by piece. then_close: hang up
    after each reply. seen: the requests. connections: how many there have been.
    """

    def __init__(
        self,
        *replies: bytes | Sequence[bytes] | None,
        then_close: bool = False,
        **tls: Any,
    ) -> None:
        self.replies = list(replies)
        self.then_close = then_close
        self.seen: list[bytes] = []
        self.connections = 0
        self.server = StreamServer(("127.0.0.1", 0), self._serve, **tls)
        self.server.start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://localhost:{self.server.server_port}"

    def _serve(self, peer: Any, _: object) -> None:
        self.connections += 1
        while request := request_of(peer):
            self.seen.append(request)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            if reply is None:
                continue
            for piece in [reply] if isinstance(reply, bytes) else reply:
                peer.sendall(piece)
            if self.then_close:
                return
