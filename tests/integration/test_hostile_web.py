"""Whatever clients send to the stats server, it answers, goes on, and logs no traceback."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException, HTTPResponse

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from hostile import corpus, search
from kickers import KickerProcess, settings
from servers import create_queue

#: Seconds within which an answer begins, on a loaded machine.
SOON = 60.0

#: Bytes that a kicker's memory may grow by, whatever is sent.
ROOM = 64 << 20

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def kicker(servers, tmp_path_factory) -> Iterator[KickerProcess]:
    """A kicker with a token, a history in a file, and a job that has ended; for all requests."""
    aws = servers.get("ministack")
    directory = tmp_path_factory.mktemp("hostile")
    queue = create_queue(aws)
    config = settings(aws, queue, kicker={"stats_token": TOKEN})
    config["history"] = {"path": str(directory / "ends.db")}
    running = KickerProcess(directory, aws, config).started()
    queue.send({"command": "echo done", "event_id": "one"})
    running.says("job succeeded")
    yield running
    log = running.log.read_text()
    assert 0 == running.stop()
    queue.drop()
    assert "Traceback" not in log


def address(kicker: KickerProcess) -> tuple[str, int]:
    """Where it listens."""
    host, port = kicker.says("stats")["address"][:2]
    return host, port


def is_well(kicker: KickerProcess) -> bool:
    """The health check answers, on a connection of its own."""
    with urllib.request.urlopen(kicker.url + "/healthz", timeout=SOON) as answer:
        return bool(json.load(answer)["status"] == "ok")


METHODS = st.sampled_from(
    ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "get", "", "G ET",
     "\xff"]
)  # fmt: skip
PATHS = st.sampled_from(
    ["/", "/healthz", "/metrics", "/stats/metrics", "/stats/metrics/v2", "/api/state",
     "/api/series", "/api/history", "/api/jobs/x", "/api/jobs/%00", "/api/jobs/%ff%fe",
     "/api/jobs/", "/api/events", "/login", "/static/page.js", "/static/../app.py",
     "/static/%2e%2e/app.py", "/static/%00", "/static/vendor", "//", "//evil/", "*", "", "/\xe9",
     "/%", "/%zz", "http://evil/healthz", "http://[", "/healthz/", "/;x", "/" + "a" * 9000, "/#",
     "\\", "/api/jobs/" + "%F0%9F%98%80" * 50]
)  # fmt: skip
NUMBERS = st.sampled_from(
    ["0", "1", "-1", "1.5", "1e5", "nan", "inf", "1e309", "9" * 400, "4611686018427387904", "x", "",
     "%00", "%D9%A1", "1_0", " 1", "0x10"]
)  # fmt: skip
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            ["limit", "before", "since", "until", "outcome", "job_id", "event_id", "x", ""]
        ),
        NUMBERS | st.sampled_from(["succeeded", "%ff", "%ed%a0%80", "'", '"', "%27%20OR%201=1"]),
    ).map("=".join),
    max_size=3,
).map(lambda parts: "?" + "&".join(parts) if parts else "")  # fmt: skip
HEADERS = st.lists(
    st.sampled_from(
        [f"Authorization: Bearer {TOKEN}", "Authorization: Bearer \xff", "Authorization:",
         "Authorization: x", "Host: localhost", "Host: evil.example", "Host: [::1", "Host: \xff",
         "Host: ", "Host: a b", "Host: [", "Host: localhost:99999999", "Host: .",
         "Host: " + "a" * 300, "Host: \u00fc.example".encode().decode("latin-1"),
         "Host: localhost:x", "Host: xn--a", "Host: a..b", "Content-Length: 5",
         "Content-Length: -1", "Content-Length: x", "Content-Length: 99999999999",
         "Content-Length: 0", "Content-Length: 5, 5", "Transfer-Encoding: chunked",
         "Transfer-Encoding: x", "Content-Type: application/x-www-form-urlencoded",
         "Content-Type: multipart/form-data", "Content-Type: multipart/form-data; boundary=x",
         "Content-Type: application/x-www-form-urlencoded; charset=x", "Content-Type: \xff",
         "Cookie: a=\xff", "Cookie: =", "Cookie: sqsjkr_0=\"", "Expect: 100-continue", "Expect: x",
         "Connection: close", "Connection: keep-alive", "Connection: upgrade", "Upgrade: websocket",
         "Accept-Encoding: \xff", "Range: bytes=0-", "Range: bytes=9999999-", "Range: bytes=5-1",
         "Range: x", "If-None-Match: \xff", "If-Modified-Since: yesterday", "If-Range: x",
         "X: " + "x" * 70000, "no colon", ": empty", " folded", "X\0: y", "X-Forwarded-Host: evil",
         "X-Forwarded-Proto: x"]
    ),
    max_size=2,
)  # fmt: skip
VERSIONS = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "", "HTTP/x", "x"])
BODIES = st.sampled_from(
    ["", "token", f"token={TOKEN}", "token=%ff", "token=" + "x" * 20000, "--x\r\n\r\n--x--", "\0"]
)


#: What a right request begins with.
USUAL = ["Host: localhost", f"Authorization: Bearer {TOKEN}"]


@st.composite
def requests(draw) -> bytes:
    """A request with some of its parts as no client would make them."""

    def odd() -> bool:
        return draw(st.integers(0, 3)) == 0

    method = draw(METHODS) if odd() else draw(st.sampled_from(["GET", "POST"]))
    version = draw(VERSIONS) if odd() else "HTTP/1.1"
    headers = [*([] if odd() else USUAL), *draw(HEADERS)]
    body = draw(BODIES)
    if not odd():
        headers.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([f"{method} {draw(PATHS)}{draw(QUERIES)} {version}", *headers])
    return (head + "\r\n\r\n" + body).encode("latin-1", "replace")


def judge(kicker: KickerProcess, raw: bytes) -> None:
    """It answers with something that a client understands, if at all."""
    with socket.create_connection(address(kicker), timeout=SOON) as client:
        with suppress(OSError):  # It may have had enough, and closed.
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
        answer = HTTPResponse(client)
        try:
            answer.begin()
        except (HTTPException, OSError):
            return  # None, as a client gets that reads no further, or one for HTTP/0.9.
        assert answer.status < 500 or answer.status in (501, 505), raw
        if answer.getheader("Content-Type", "").startswith("text/event-stream"):
            return  # It has no end.
        with suppress(HTTPException, OSError):
            text = answer.read()
            if text and answer.getheader("Content-Type") == "application/json":
                json.loads(text)


@given(raw=st.one_of(requests(), st.binary(max_size=100)))
@corpus("requests")
@search(100)
def test_any_request_has_an_answer_that_is_no_failure_of_the_kicker(kicker, raw):
    """A scanner of the network finds every port, and the one on watch gets no alarm."""
    judge(kicker, raw)


class Clients(RuleBasedStateMachine):
    """Clients that send pieces, wait, and leave, in any order."""

    kicker: KickerProcess
    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self._open: set[socket.socket] = set()

    @rule(target=clients)
    def connect(self) -> socket.socket:
        """One more."""
        one = socket.create_connection(address(self.kicker), timeout=SOON)
        self._open.add(one)
        return one

    @rule(one=clients, raw=requests(), times=st.integers(1, 30))
    def ask(self, one: socket.socket, raw: bytes, times: int) -> None:
        """Send some requests at once, and read none of the answers."""
        with suppress(OSError):
            one.settimeout(0.05)  # Who reads nothing cannot always send.
            one.sendall(raw * times)

    @rule(one=clients, raw=requests(), share=st.floats(0, 1))
    def ask_half(self, one: socket.socket, raw: bytes, share: float) -> None:
        """Send the start of a request."""
        with suppress(OSError):
            one.settimeout(0.05)
            one.sendall(raw[: int(len(raw) * share)])

    @rule(one=clients)
    def read(self, one: socket.socket) -> None:
        """Read what is there."""
        with suppress(OSError):
            one.setblocking(False)
            one.recv(65536)

    @rule(one=clients)
    def end_sending(self, one: socket.socket) -> None:
        """Send no more."""
        with suppress(OSError):
            one.shutdown(socket.SHUT_WR)

    @rule(one=consumes(clients), reset=st.booleans())
    def leave(self, one: socket.socket, reset: bool) -> None:
        """Close, with or without a reset."""
        with suppress(OSError):
            if reset:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.close()
        self._open.discard(one)

    @invariant()
    def the_health_check_answers(self) -> None:
        """Whatever the others do."""
        assert is_well(self.kicker)

    def teardown(self) -> None:
        """Close all."""
        for one in self._open:
            one.close()


def test_clients_that_come_stop_and_go_in_any_order_leave_the_server_well(kicker):
    """No sequence of half requests and resets takes a place, or memory, for good."""
    process = psutil.Process(kicker.pid)
    is_well(kicker)
    before = process.memory_info().rss
    Clients.kicker = kicker
    run_state_machine_as_test(Clients, settings=search(8, stateful_step_count=20))
    assert is_well(kicker)
    assert process.memory_info().rss - before < ROOM
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(kicker.url + "/api/state", timeout=SOON)
