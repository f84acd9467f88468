"""No client of the web server can hold what others need: places, descriptors, time."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gevent
import pytest
from flask import Flask, Response, request

from sqsjkr_gevent import descriptors
from sqsjkr_gevent.web.app import MAX_BODY
from sqsjkr_gevent.web.connections import Connection, Server
from waiting import eventually

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MOST = 8


class Hasty(Connection):
    """Limits that a test can wait for."""

    idle_for = 1.0
    headers_within = 0.5
    body_within = 0.5
    piece_within = 0.5


class Patient(Connection):
    """Limits that no test comes to."""

    idle_for = headers_within = body_within = piece_within = 600.0


def app() -> Flask:
    """One that has an answer, a form, a stream, and a lot to say."""
    made = Flask(__name__)
    made.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @made.route("/", methods=["GET", "POST"])
    def short() -> str:
        return "short"

    @made.post("/form")
    def form() -> str:
        return request.form.get("token", "")

    @made.get("/stream")
    def stream() -> Response:
        def events() -> Iterator[str]:
            while True:
                yield "data: x\n\n"
                gevent.sleep(0.05)

        return Response(events(), mimetype="text/event-stream")

    @made.get("/long")
    def long() -> bytes:
        return b"x" * 50_000_000

    return made


class Served:
    """A server, and connections to it."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self.server = server
        self._stack = stack

    def connect(self, sends: bytes = b"") -> socket.socket:
        """A connection that has sent this."""
        one = socket.create_connection(("127.0.0.1", self.server.server_port), timeout=20)
        self._stack.callback(one.close)
        one.sendall(sends)
        return one

    def ask(self) -> bytes:
        """The first line of an answer to a connection of its own."""
        return self.connect(ASK).recv(65536).partition(b"\r\n")[0]

    def open(self) -> int:
        """How many connections it has."""
        return len(self.server.pool)


@pytest.fixture
def serve() -> Iterator[Callable[[type[Connection]], Served]]:
    """Start servers of MOST connections."""
    with ExitStack() as stack:

        def start(handler: type[Connection]) -> Served:
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            server = Server(listener, app(), MOST)
            server.handler_class = handler
            server.start()
            stack.callback(server.stop, timeout=0.1)
            return Served(server, stack)

        yield start


def ended(connection: socket.socket) -> bool:
    """Whether the other side has closed it; what it says before that is read away."""
    connection.settimeout(0.01)
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def trickle(connection: socket.socket, end: float) -> float:
    """Send a byte now and then until the other side has closed it; after how many seconds."""
    began = time.monotonic()
    while not ended(connection):
        assert time.monotonic() - began < end, "it is still open"
        try:
            connection.sendall(b"x")
        except OSError:
            pass
        gevent.sleep(0.05)
    return time.monotonic() - began


def reset(connection: socket.socket) -> None:
    """Go without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", ASK, ASK + b"GET"], ids=repr)
def test_a_place_is_free_whatever_waits_for_a_request(serve: Any, sent: bytes) -> None:
    """The one that is idle for longest goes; so many as may stay are left alone."""
    served = serve(Patient)
    connections = [served.connect(sent) for _ in range(100)]
    assert b"HTTP/1.1 200 OK" == served.ask()
    assert served.open() <= MOST
    eventually(lambda: all(ended(one) for one in connections[:50]))
    newest = connections[-(MOST // 2) + 1 :]
    assert not any(ended(one) for one in newest)


def test_a_place_is_free_whatever_is_being_answered(serve: Any) -> None:
    """Streams never end by themselves, and whoever has one connects again."""
    served = serve(Patient)
    streams = [served.connect(ASK.replace(b"/ ", b"/stream ", 1)) for _ in range(30)]
    assert b"HTTP/1.1 200 OK" == served.ask()
    assert served.open() <= MOST
    eventually(lambda: ended(streams[0]))
    assert not ended(streams[-1])


def test_streams_and_idle_ones_together_leave_a_place(serve: Any) -> None:
    """Each kind alone may not, and neither may both."""
    served = serve(Patient)
    for _ in range(30):
        served.connect()
        served.connect(ASK.replace(b"/ ", b"/stream ", 1))
    for _ in range(5):
        assert b"HTTP/1.1 200 OK" == served.ask()


def test_a_request_that_comes_byte_by_byte_is_cut_off(serve: Any) -> None:
    """The limit is for all of the headers: a byte now and then does not renew it."""
    served = serve(Hasty)
    assert trickle(served.connect(b"GET / HTTP/1.1\r\nX: "), end=10) >= Hasty.headers_within - 0.1
    assert trickle(served.connect(b"G"), end=10) >= Hasty.headers_within - 0.1
    eventually(lambda: 0 == served.open())


def test_a_body_that_comes_byte_by_byte_is_cut_off(serve: Any) -> None:
    """Also where nobody asked for one: the server reads it away."""
    served = serve(Hasty)
    for path in (b"/form", b"/"):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n"
        trickle(served.connect(head), end=10)
    eventually(lambda: 0 == served.open())


def test_an_idle_connection_is_closed(serve: Any) -> None:
    """Before its first request, and after one."""
    served = serve(Hasty)
    fresh, used = served.connect(), served.connect(ASK)
    assert used.recv(65536).startswith(b"HTTP/1.1 200 OK")
    eventually(lambda: ended(fresh) and ended(used))
    eventually(lambda: 0 == served.open())


def test_a_reader_that_takes_nothing_is_cut_off_and_a_slow_one_is_not(serve: Any) -> None:
    """Of a long answer, and of a stream; what matters is whether it moves."""
    served = serve(Hasty)
    served.connect(ASK.replace(b"/ ", b"/long ", 1))
    eventually(lambda: 1 == served.open())
    eventually(lambda: 0 == served.open())
    stream = served.connect(ASK.replace(b"/ ", b"/stream ", 1))
    until = time.monotonic() + 4 * Hasty.piece_within
    while time.monotonic() < until:
        assert stream.recv(65536)


def test_a_body_that_is_too_long_is_not_read(serve: Any) -> None:
    """Its length is enough to refuse it, and to close the connection."""
    served = serve(Patient)
    head = b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"
    connection = served.connect(head + b"x" * MAX_BODY)
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    eventually(lambda: ended(connection))


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_what_is_no_request_is_refused_without_a_word_on_stderr(
    serve: Any, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """Clients choose these lines, and how many they send: they could fill a disk."""
    connection = serve(Patient).connect(sent)
    assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    eventually(lambda: ended(connection))
    assert "" == capfd.readouterr().err


def test_a_client_that_goes_is_no_fault(serve: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """In the midst of headers, of a body, of an answer: nothing is written about it."""
    served = serve(Patient)
    for sent in (
        b"GET / HTTP/1.1\r\nX: ",
        b"POST /form HTTP/1.1\r\nContent-Length: 100\r\n\r\ntok",
        ASK.replace(b"/ ", b"/long ", 1),
        ASK.replace(b"/ ", b"/stream ", 1),
    ):
        connection = served.connect(sent)
        eventually(lambda: served.open() == 1)
        reset(connection)
        eventually(lambda: served.open() == 0)
    reset(served.connect(b"nonsense\r\n" * 1000))
    assert b"HTTP/1.1 200 OK" == served.ask()
    assert "" == capfd.readouterr().err


@pytest.mark.parametrize(
    ("limit", "connections"),
    [(64, 8), (256, 32), (1024, 128), (1_048_576, 256), (None, 256)],
)
def test_connections_are_a_share_of_the_descriptors(limit: int | None, connections: int) -> None:
    """What is left is for jobs."""
    assert connections == descriptors.connections(limit)


@pytest.mark.parametrize("jobs", [1, 20, 100, 1000, 10_000])
def test_the_limit_that_is_asked_for_has_room_for_jobs_calls_and_connections(jobs: int) -> None:
    """With some to spare for the kicker itself, and not many times as many as that."""
    needed = descriptors.needed(jobs, receivers=8)
    left = needed - descriptors.connections(needed) - jobs - 8
    assert 32 < left
    assert needed < 1.3 * jobs + 250
