"""An HTTP proxy in front of a server, which makes calls fail in every way that a network knows."""

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

#: Every way in which a call can fail here.
FAULTS = ("500", "503", "403", "reset before", "reset after", "hang", "truncated")

_ERRORS = {
    "500": ("500 Internal Server Error", "InternalFailure"),
    "503": ("503 Service Unavailable", "ServiceUnavailable"),
    "403": ("403 Forbidden", "AccessDeniedException"),
}


@dataclass
class Fault:
    """How calls of an operation fail ("*": all operations), and how many still will."""

    kind: str
    left: float = float("inf")


@dataclass
class Proxy:
    """Listens on a port of loopback and passes on to `target`, a port as well."""

    target: int
    faults: dict[str, Fault] = field(default_factory=dict)
    calls: list[tuple[float, str]] = field(default_factory=list)
    failed: Counter = field(default_factory=Counter)
    cut_off: bool = False
    _healed: Event = field(default_factory=Event)
    _server: Any = None

    def start(self) -> "Proxy":
        """Listen."""
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        return self

    def stop(self) -> None:
        """Listen no more, and end what hangs."""
        self._healed.set()
        self._server.stop(timeout=1)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, operation: str, kind: str, times: float = float("inf")) -> Fault:
        """Fail the next calls of an operation so; "late" holds their answers back until heal()."""
        self.faults[operation] = Fault(kind, times)
        return self.faults[operation]

    def heal(self) -> None:
        """All is well again."""
        self.faults.clear()
        self.cut_off = False
        self._healed.set()
        self._healed = Event()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Nobody is there, for the block."""
        self.cut_off = True
        try:
            yield
        finally:
            self.heal()

    def calls_per_second(self, since: float, until: float) -> Counter:
        """How many calls came in each whole second between two times of time.monotonic()."""
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
    """One request or answer: its head, its body, and the operation that a request names."""
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
    """Until that time of time.monotonic(); for outages whose length is the subject."""
    gevent.sleep(max(0.0, moment - time.monotonic()))
