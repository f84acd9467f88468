"""An HTTP proxy in front of a server that makes calls fail in every way a network can."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

#: The ways in which a call can fail.
FAULTS = ("500", "503", "403", "reset before", "reset after", "hang", "truncated")

_ERRORS = {
    "500": ("500 Internal Server Error", "InternalFailure"),
    "503": ("503 Service Unavailable", "ServiceUnavailable"),
    "403": ("403 Forbidden", "AccessDeniedException"),
}


@dataclass
class Fault:
    """How calls of an operation fail ("*": all operations), and how many more of them fail."""

    kind: str
    left: float = float("inf")


@dataclass
class Proxy:
    """Listens on a loopback port and forwards to `target`, another loopback port."""

    target: int
    faults: dict[str, Fault] = field(default_factory=dict)
    calls: list[tuple[float, str]] = field(default_factory=list)
    failed: Counter = field(default_factory=Counter)
    cut_off: bool = False
    _healed: Event = field(default_factory=Event)
    _server: Any = None

    def start(self) -> "Proxy":
        """Start to listen."""
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop listening, and end hanging calls."""
        self._healed.set()
        self._server.stop(timeout=1)

    @property
    def url(self) -> str:
        """The URL on which it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, operation: str, kind: str, times: float = float("inf")) -> Fault:
        """Make the next calls of an operation fail. "late" delays their responses until heal()."""
        self.faults[operation] = Fault(kind, times)
        return self.faults[operation]

    def heal(self) -> None:
        """End all faults."""
        self.faults.clear()
        self.cut_off = False
        self._healed.set()
        self._healed = Event()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Reset every connection during the `with` block."""
        self.cut_off = True
        try:
            yield
        finally:
            self.heal()

    def calls_per_second(self, since: float, until: float) -> Counter:
        """The number of calls in each full second between two times of time.monotonic()."""
        return Counter(int(at - since) for at, _ in self.calls if since <= at < until)

    def _serve(self, client: socket.socket, address: Any) -> None:
        upstream = None
        stream = client.makefile("rb")
        with suppress(OSError):
            while request := _read(stream):
                head, body, operation = request
                self.calls.append((time.monotonic(), operation))
                kind = self._fault(operation)
                if kind == "reset before":
                    break
                if kind == "hang":
                    self._healed.wait()
                    break
                if kind in _ERRORS:
                    client.sendall(_error(*_ERRORS[kind]))
                    continue
                upstream = upstream or socket.create_connection(("127.0.0.1", self.target))
                upstream.sendall(head + body)
                answer_head, answer_body, _ = _read(upstream.makefile("rb")) or (b"", b"", "")
                if kind == "reset after":
                    break
                if kind == "late":
                    self._healed.wait()
                if kind == "truncated":
                    client.sendall(answer_head + answer_body[: len(answer_body) // 2])
                    break
                client.sendall(answer_head + answer_body)
        for end in (client, upstream):
            if end is not None:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.close()
        stream.close()

    def _fault(self, operation: str) -> str | None:
        if self.cut_off:
            return "reset before"
        fault = self.faults.get(operation) or self.faults.get("*")
        if fault is None or fault.left <= 0:
            return None
        fault.left -= 1
        self.failed[operation] += 1
        return fault.kind


def _read(stream: Any) -> tuple[bytes, bytes, str] | None:
    """One request or response: head, body, and the operation if it is a request."""
    head, length, operation = b"", 0, ""
    while line := stream.readline():
        head += line
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
        elif name.lower() == "x-amz-target":
            operation = value.strip().rpartition(".")[2]
        elif line == b"\r\n":
            return head, stream.read(length), operation
    return None


def _error(status: str, code: str) -> bytes:
    body = json.dumps({"__type": f"com.amazonaws#{code}", "message": f"{code} by the proxy"})
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def wait_until(moment: float) -> None:
    """Sleep until a time of time.monotonic(), for tests that need an outage of an exact length."""
    gevent.sleep(max(0.0, moment - time.monotonic()))
