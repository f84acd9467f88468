"""The lean transport: it answers and fails just as botocore's own does."""

import datetime as dt
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gevent.server import StreamServer

from sqsjkr_gevent.aws import Client, make_session
from sqsjkr_gevent.aws import client as client_module
from sqsjkr_gevent.config import AccountSection

#: On Python 3.10 there is none: everything is botocore's.
transport = pytest.importorskip("sqsjkr_gevent.aws.transport", exc_type=ImportError)

URL = b'{"QueueUrl":"http://x/1/q"}'
DENIED = b'{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}'


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
    """A server that gives the same answer to every request. seen: the requests."""

    def __init__(self, reply: bytes | None, then_close: bool = False, **tls: Any) -> None:
        self.reply = reply
        self.then_close = then_close
        self.seen: list[bytes] = []
        self.connections = 0
        self.server = StreamServer(("127.0.0.1", 0), self.serve, **tls)
        self.server.start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://localhost:{self.server.server_port}"

    def serve(self, peer: Any, _: object) -> None:
        """One connection."""
        self.connections += 1
        while request := request_of(peer):
            self.seen.append(request)
            if self.reply is None:
                continue  # Never answered.
            peer.sendall(self.reply)
            if self.then_close:
                return


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Make servers."""
    made: list[Scripted] = []

    def make(*arguments: Any, **options: Any) -> Scripted:
        made.append(Scripted(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.server.stop(timeout=0.1)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some, and no proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def make_client(url: str) -> Client:
    """A client of SQS at that address."""
    account = AccountSection(id="1" * 12, region="us-east-1", endpoint_url=url)
    return Client(make_session(account), "sqs", account, connections=2, observe=lambda *_: None)


def outcome(client: Client) -> Any:
    """What a call answers, or the kind of its error."""
    try:
        answer = client.call("get_queue_url", QueueName="q")
    except Exception as error:  # noqa: BLE001
        return type(error).__name__, client_module.error_code(error)
    return answer["QueueUrl"], answer["ResponseMetadata"]["HTTPStatusCode"]


def is_lean(client: Client) -> bool:
    """Whether the lean transport sends its calls."""
    handlers = client._client.meta.events._emitter._handlers.prefix_search("before-send.sqs.X")
    return any("LeanTransport" in repr(handler) for handler in handlers)


@pytest.mark.parametrize(
    ("reply", "then_close", "expected"),
    [
        (answer(b"200 OK", URL), False, ("http://x/1/q", 200)),
        (answer(b"200 OK", URL, b"Connection: close\r\n"), True, ("http://x/1/q", 200)),
        (answer(b"403 Forbidden", DENIED), False, ("ClientError", "AccessDeniedException")),
        (answer(b"500 Oh", b""), False, ("ClientError", "500")),
        (b"", True, ("ConnectionClosedError", "ConnectionClosedError")),
    ],
    ids=["ok", "ok and close", "denied", "500", "closed"],
)
def test_answers_and_errors_are_those_of_botocore(
    scripted, monkeypatch, reply, then_close, expected
):
    """Both ways, so that what is made of an error further up holds for both."""
    lean = make_client(scripted(reply, then_close).url)
    monkeypatch.setattr(client_module, "may_be_lean", lambda *_: False)
    usual = make_client(scripted(reply, then_close).url)
    assert (True, False) == (is_lean(lean), is_lean(usual))
    assert (expected, expected) == (outcome(lean), outcome(usual))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "no-such-host.invalid"], ids=["refused", "no such host"]
)
def test_an_endpoint_that_is_not_there_is_told_as_botocore_does(monkeypatch, host):
    """Refused, or without an address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lean = make_client(f"http://{host}:{port}")
    monkeypatch.setattr(client_module, "may_be_lean", lambda *_: False)
    expected = ("EndpointConnectionError", "EndpointConnectionError")
    assert [expected] * 2 == [outcome(lean), outcome(make_client(f"http://{host}:{port}"))]


def test_a_server_that_never_answers_is_given_up(scripted, monkeypatch):
    """After the read timeout."""
    monkeypatch.setattr(client_module, "READ_TIMEOUT", 0.1)
    server = scripted(None)
    assert ("ReadTimeoutError", "ReadTimeoutError") == outcome(make_client(server.url))
    assert 1 == len(server.seen)  # Sent once: repeating is up to others.


def test_a_request_that_was_not_answered_is_not_sent_again(scripted):
    """It may have been heard: whether to repeat it is for those to say who know what it does."""
    server = scripted(b"", True)
    outcome(make_client(server.url))
    assert 1 == len(server.seen)


@pytest.mark.parametrize(
    "reply", [answer(b"200 OK", URL[:5], length=len(URL)), b"nonsense\r\n\r\n"]
)
def test_an_answer_cut_short_is_an_error(scripted, reply):
    """botocore's own takes half an answer for an empty one, and what it brought would wait."""
    name, _ = outcome(make_client(scripted(reply, True).url))
    assert name in ("ConnectionClosedError", "HTTPClientError")


def test_connections_are_kept_and_one_that_was_closed_is_replaced(scripted):
    """Also where the server closed it while nobody looked."""
    server = scripted(answer(b"200 OK", URL))
    client = make_client(server.url)
    assert [200] * 3 == [outcome(client)[1] for _ in range(3)]
    assert 1 == server.connections
    server.then_close = True
    assert [200] * 3 == [outcome(client)[1] for _ in range(3)]
    assert 3 == server.connections


def test_a_request_is_what_botocore_signed(scripted, monkeypatch):
    """Method, path, headers and body."""
    server, other = scripted(answer(b"200 OK", URL)), scripted(answer(b"200 OK", URL))
    outcome(make_client(server.url))
    monkeypatch.setattr(client_module, "may_be_lean", lambda *_: False)
    outcome(make_client(other.url))

    def told(request: bytes) -> Any:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        names = {line.partition(":")[0].lower() for line in lines}
        return first, names - {"accept-encoding"}, json.loads(body)

    assert told(other.seen[0]) == told(server.seen[0])


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS:DeprecationWarning")  # Of gevent's server.
class TestTls:
    """Servers whose certificates are good, of an unknown authority, or another host's."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Callable[[str], dict[str, str]]:
        """Make a certificate for a host, signed by itself."""

        def make(host: str) -> dict[str, str]:
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
            now = dt.datetime.now(dt.timezone.utc)
            certificate = (
                x509.CertificateBuilder()
                .subject_name(name)
                .issuer_name(name)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - dt.timedelta(days=1))
                .not_valid_after(now + dt.timedelta(days=1))
                .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .sign(key, hashes.SHA256())
            )
            pem = serialization.Encoding.PEM
            files = {"certfile": tmp_path / f"{host}.crt", "keyfile": tmp_path / f"{host}.key"}
            files["certfile"].write_bytes(certificate.public_bytes(pem))
            files["keyfile"].write_bytes(
                key.private_bytes(
                    pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            return {name: str(file) for name, file in files.items()}

        return make

    def test_a_trusted_server_is_talked_to(self, scripted, authority, monkeypatch):
        """Trusted by what botocore trusts, which here is this one."""
        files = authority("localhost")
        monkeypatch.setattr(transport, "get_cert_path", lambda _: files["certfile"])
        client = make_client(scripted(answer(b"200 OK", URL), **files).url)
        assert is_lean(client)
        assert ("http://x/1/q", 200) == outcome(client)

    @pytest.mark.parametrize(
        ("host", "trusted"),
        [("localhost", False), ("example.com", True)],
        ids=["unknown authority", "another host's"],
    )
    def test_a_wrong_certificate_is_refused(self, scripted, authority, monkeypatch, host, trusted):
        """Nothing is sent to the server."""
        files = authority(host)
        if trusted:
            monkeypatch.setattr(transport, "get_cert_path", lambda _: files["certfile"])
        server = scripted(answer(b"200 OK", URL), **files)
        client = make_client(server.url)
        assert is_lean(client)
        assert ("SSLError", "SSLError") == outcome(client)
        assert [] == server.seen

    def test_trust_of_ones_own_is_left_to_botocore(self, scripted, authority, monkeypatch):
        """AWS_CA_BUNDLE, as behind a proxy that looks into TLS."""
        files = authority("localhost")
        monkeypatch.setenv("AWS_CA_BUNDLE", files["certfile"])
        client = make_client(scripted(answer(b"200 OK", URL), **files).url)
        assert not is_lean(client)
        assert ("http://x/1/q", 200) == outcome(client)


def test_a_proxy_is_left_to_botocore(scripted, monkeypatch):
    """It gets the whole address in the request line."""
    proxy = scripted(answer(b"200 OK", URL))
    monkeypatch.setenv("http_proxy", proxy.url)
    client = make_client("http://sqs.example.com")
    assert not is_lean(client)
    assert ("http://x/1/q", 200) == outcome(client)
    assert proxy.seen[0].startswith(b"POST http://sqs.example.com/ ")
