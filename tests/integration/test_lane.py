"""The fast lane: its requests, results and errors are those of botocore."""

import base64
import datetime as dt
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import gevent
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripted import Scripted, answer
from sqsjkr_gevent.aws import Client, encoding, lane, make_session, wire
from sqsjkr_gevent.aws import client as client_module
from sqsjkr_gevent.config import AccountSection
from waiting import eventually

OK = answer(b"200 OK", b"{}")
ERROR = b'{"__type":"com.amazon.coral.service#%s","message":"no"}'
DENIED = answer(b"400 Bad Request", ERROR % b"AccessDeniedException")
CONDITION = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
    b'"message":"The conditional request failed","Item":{"Owner":{"S":"somebody"}}}'
)
GONE = answer(
    b"400 Bad Request",
    ERROR % b"QueueDoesNotExist",
    b"x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n",
)
MESSAGE = {
    "MessageId": "m",
    "ReceiptHandle": "r",
    "Body": "ä \U0001f600",
    "Attributes": {"SentTimestamp": "1"},
    "MessageAttributes": {
        "b": {"DataType": "Binary", "BinaryValue": base64.b64encode(b"\x00\xff").decode()},
        "s": {"DataType": "String", "StringValue": "ü"},
    },
}
RECEIVED = answer(b"200 OK", json.dumps({"Messages": [MESSAGE]}).encode())

URL = "https://sqs.us-east-1.amazonaws.com/1/jöbs"
KEY = {"Id": {"S": "ü"}, "Type": {"S": "lock"}}

#: Every operation of the lane, with arguments such as it gets.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "receive_message": (
        "sqs",
        {"QueueUrl": URL, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]},
    ),
    "delete_message_batch": (
        "sqs",
        {
            "QueueUrl": URL,
            "Entries": [{"Id": str(n), "ReceiptHandle": "+" * 900} for n in range(9)],
        },
    ),
    "change_message_visibility_batch": (
        "sqs",
        {
            "QueueUrl": URL,
            "Entries": [{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 0}],
        },
    ),
    "update_item": (
        "dynamodb",
        {
            "TableName": "t",
            "Key": KEY,
            "UpdateExpression": "SET #a = :a",
            "ExpressionAttributeNames": {"#a": "Owner"},
            "ExpressionAttributeValues": {":a": {"S": "日本" * 9000}, ":n": {"N": "1.5"}},
        },
    ),
    "batch_execute_statement": (
        "dynamodb",
        {"Statements": [{"Statement": 'INSERT INTO "t" VALUE {}', "Parameters": [{"S": "\\"}]}]},
    ),
}


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Make servers."""
    made: list[Scripted] = []

    def make(*replies: Any, **options: Any) -> Scripted:
        made.append(Scripted(*replies, **options))
        return made[-1]

    yield make
    for one in made:
        one.server.stop(timeout=0.1)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some, and no proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def make_client(
    url: str, service: str = "sqs", transport: str = "auto", session: Any = None, **options: Any
) -> Client:
    """A client of that service at that address."""
    account = AccountSection(id="1" * 12, region="us-east-1", endpoint_url=url, transport=transport)
    options = {"connections": 2, "observe": lambda *_: None, **options}
    return Client(session or make_session(account), service, account, **options)


def outcome(client: Client, operation: str = "receive_message") -> Any:
    """What a call returns, or what its error says."""
    try:
        response = client.call(operation, **CALLS[operation][1])
    except Exception as error:  # noqa: BLE001
        details = getattr(error, "response", None) or {}
        told = {name: value for name, value in details.items() if name != "ResponseMetadata"}
        status = details.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return type(error).__name__, client_module.error_code(error), status, told
    response.pop("ResponseMetadata", None)
    return response


def took_the_lane(request: bytes) -> bool:
    """Whether the lane sent it: botocore numbers its tries."""
    return b"amz-sdk-request" not in request.lower()


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """First line, headers by their lower-case names, and body."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return first, {name.lower(): value for name, _, value in pairs}, body


def on_both_ways(
    scripted: Callable[..., Scripted], operation: str, *replies: Any, **options: Any
) -> list[Any]:
    """The outcome in the lane, and the outcome when botocore makes all calls."""
    service = CALLS[operation][0]
    outcomes = []
    for transport in ("auto", "botocore"):
        server = scripted(OK, *replies, **options)
        client = make_client(server.url, service, transport)
        outcome(client, operation)
        outcomes.append(outcome(client, operation))
        assert [False, transport == "auto"] == [took_the_lane(one) for one in server.seen]
    return outcomes


@pytest.mark.parametrize("token", [None, "a/session+token=="], ids=["permanent", "session"])
@pytest.mark.parametrize("operation", CALLS)
def test_a_request_is_botocores_but_for_the_blanks_in_its_body(
    scripted, monkeypatch, operation, token
):
    """Its signature is the one that botocore makes for that body."""
    if token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    server = scripted(OK)
    service, arguments = CALLS[operation]
    client = make_client(server.url, service)
    client.call(operation, **arguments)
    client.call(operation, **arguments)
    (first, usual, body), (our_first, ours, our_body) = map(parsed, server.seen)
    of_a_try = {"authorization", "x-amz-date", "content-length"}
    of_botocore = of_a_try | {"amz-sdk-invocation-id", "amz-sdk-request"}
    assert (first, json.loads(body)) == (our_first, json.loads(our_body))
    assert {name: usual[name] for name in usual.keys() - of_botocore} == {
        name: ours[name] for name in ours.keys() - of_a_try
    }

    moment = dt.datetime.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
        tzinfo=dt.timezone.utc
    )
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    signed = ours["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    headers = {name: ours[name] for name in signed if name != "host"}
    request = AWSRequest("POST", f"{server.url}/", headers=headers, data=our_body)
    keys = Credentials("AKIDEXAMPLE", "secret", token)
    botocore.auth.SigV4Auth(keys, service, "us-east-1").add_auth(request)
    assert request.headers["Authorization"] == ours["authorization"]


RESPONSES = {
    "nothing": ("receive_message", OK),
    "a message with bytes": ("receive_message", RECEIVED),
    "half a surrogate pair": (
        "receive_message",
        answer(b"200 OK", json.dumps({"Messages": [{**MESSAGE, "Body": "\ud800"}]}).encode()),
    ),
    "in pieces": ("receive_message", [RECEIVED[:9], RECEIVED[9:80], RECEIVED[80:]]),
    "in chunks": (
        "receive_message",
        b"\r\n".join(
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
                b'4\r\n{"Me',
                b'10;x\r\nssages": [{"Body',
                b'9\r\n": "b"}]}',
                b"0\r\n\r\n",
            )
        ),
    ),
    "large": (
        "receive_message",
        answer(b"200 OK", json.dumps({"Messages": [{**MESSAGE, "Body": "x" * 900_000}]}).encode()),
    ),
    "attributes": ("update_item", answer(b"200 OK", b'{"Attributes":{"Token":{"N":"7"}}}')),
    "denied": ("receive_message", DENIED),
    "denied with 403": ("receive_message", DENIED.replace(b"400 Bad", b"403 Bad")),
    "a legacy code": ("receive_message", GONE),
    "a condition": ("update_item", answer(b"400 Bad Request", CONDITION)),
    "throttled": ("update_item", answer(b"400 Bad", ERROR % b"ThrottlingException")),
    "another 400": (
        "update_item",
        answer(
            b"400 Bad", b'{"__type":"x#ValidationException","message":"ConditionalCheckFailed"}'
        ),
    ),
    "500": ("update_item", answer(b"500 Oh", b"")),
    "503 in HTML": ("receive_message", answer(b"503 Slow Down", b"<html>no</html>")),
    "no JSON": ("receive_message", answer(b"200 OK", b"<html>hotel</html>")),
    "a list": ("receive_message", answer(b"200 OK", b"[]")),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_results_and_errors_are_those_of_botocore(scripted, name):
    """So what is made of them further up holds for both ways."""
    operation, reply = RESPONSES[name]
    direct, usual = on_both_ways(scripted, operation, reply)
    assert usual == direct


def test_a_connection_that_ends_too_early_is_an_error(scripted):
    """Without a byte, or within the response, which botocore's own takes for an empty one."""
    closed = ("ConnectionClosedError", "ConnectionClosedError", None, {})
    assert [closed, closed] == on_both_ways(scripted, "update_item", b"", then_close=True)
    cut = answer(b"200 OK", b'{"Mess', length=100)
    assert closed == on_both_ways(scripted, "receive_message", cut, then_close=True)[0]


@pytest.mark.parametrize("reply", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_is_no_http_is_an_error(scripted, reply):
    """Neither is a response that does not say how long it is."""
    client = make_client(scripted(OK, reply).url)
    outcome(client)
    assert "HTTPClientError" == outcome(client)[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "no-such-host.invalid"], ids=["refused", "no such host"]
)
def test_an_endpoint_that_is_not_there_is_told_as_botocore_does(host):
    """Also before any call has succeeded."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = make_client(f"http://{host}:{port}")
    expected = ("EndpointConnectionError", "EndpointConnectionError", None, {})
    assert [expected, expected] == [outcome(client), outcome(client)]


def test_a_server_that_never_answers_is_given_up(scripted, monkeypatch):
    """After the read timeout. The request is sent once: repeating it is up to others."""
    monkeypatch.setattr(client_module, "READ_TIMEOUT", 0.2)
    server = scripted(OK, None)
    client = make_client(server.url)
    outcome(client)
    assert ("ReadTimeoutError", "ReadTimeoutError", None, {}) == outcome(client)
    assert 2 == len(server.seen)


def test_retries_are_botocores(scripted):
    """The lane's try is the first of those that botocore counts."""
    bad = answer(b"500 Oh", b"")
    server = scripted(OK, bad, bad, RECEIVED)
    client = make_client(server.url, attempts=3)
    outcome(client)
    assert "Messages" in outcome(client)
    assert [False, True, False, False] == [took_the_lane(one) for one in server.seen]
    server = scripted(OK, bad)
    client = make_client(server.url, attempts=3)
    outcome(client)
    assert "500" == outcome(client)[1]
    assert 1 + 3 == len(server.seen)


def test_a_setback_of_one_call_is_none_of_anothers(scripted, monkeypatch):
    """A call whose greenlet had a failure before it starts from the beginning."""
    server = scripted(OK, answer(b"500 Oh", b""), RECEIVED)
    client = make_client(server.url)
    outcome(client)
    assert "500" == outcome(client)[1]
    assert "Messages" in outcome(client)
    assert {} == client._setbacks


def test_connections_are_kept_and_one_that_was_closed_is_replaced(scripted):
    """Also where the server closed it while nobody looked."""
    server = scripted(OK)
    client = make_client(server.url)
    outcome(client)
    assert [{}] * 3 == [outcome(client) for _ in range(3)]
    assert 1 + 1 == server.connections  # One of botocore, one of the lane.
    server.then_close = True
    assert [{}] * 3 == [outcome(client) for _ in range(3)]
    assert 2 + 2 == server.connections


def test_a_response_that_closes_its_connection_is_the_last_on_it(scripted):
    """By its header, or because it speaks HTTP/1.0."""
    close = answer(b"200 OK", b"{}", b"Connection: close\r\n")
    server = scripted(OK, close, OK.replace(b"HTTP/1.1", b"HTTP/1.0"), OK)
    client = make_client(server.url)
    assert [{}] * 5 == [outcome(client) for _ in range(5)]
    assert 1 + 3 == server.connections


def test_a_connection_that_was_idle_for_long_is_replaced(scripted, monkeypatch):
    """What is between it and the service may have forgotten it."""
    monkeypatch.setattr(wire, "MAX_IDLE", 0.0)
    server = scripted(OK)
    client = make_client(server.url)
    assert [{}] * 3 == [outcome(client) for _ in range(3)]
    assert 1 + 2 == server.connections


def test_bytes_that_nobody_asked_for_end_a_connection(scripted):
    """Else they would be read as the start of the next response."""
    server = scripted(OK, OK + b"HTTP/1.1 200 OK\r\n", RECEIVED)
    client = make_client(server.url)
    assert [{}, {}] == [outcome(client), outcome(client)]
    assert "Messages" in outcome(client)
    assert 1 + 2 == server.connections


def test_the_connection_of_a_killed_call_is_not_used_again(scripted):
    """Its response would be taken for that of the next call."""
    server = scripted(OK, None, RECEIVED)
    client = make_client(server.url)
    outcome(client)
    waiting = gevent.spawn(outcome, client)
    eventually(lambda: len(server.seen) == 2)
    waiting.kill()
    assert "Messages" in outcome(client)
    assert 1 + 2 == server.connections


def test_renewed_credentials_sign_the_next_request(scripted):
    """Those of a role last an hour."""
    handed_out = iter(range(1, 100))

    def fetch() -> dict[str, str]:
        number = next(handed_out)
        soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=1)
        return {
            "access_key": f"ASIA{number}",
            "secret_key": f"secret{number}",
            "token": f"token{number}",
            "expiry_time": soon.isoformat(),  # So near that each use refreshes.
        }

    keys = RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")
    session = make_session(AccountSection(id="1" * 12, region="us-east-1"))
    session._session._credentials = keys
    server = scripted(OK)
    client = make_client(server.url, session=session)
    for _ in range(4):
        outcome(client)
    names = [parsed(one)[1] for one in server.seen[1:]]
    tokens = [one["x-amz-security-token"] for one in names]
    assert 3 == len(set(tokens))
    assert [
        f"Credential=ASIA{token[5:]}/" in one["authorization"]
        for token, one in zip(tokens, names, strict=True)
    ] == [True] * 3


def test_without_orjson_json_does_it(scripted, monkeypatch):
    """There is no wheel of it for every platform."""
    monkeypatch.setattr(encoding, "_orjson", None)
    for name in ("a message with bytes", "half a surrogate pair", "no JSON", "a condition"):
        operation, reply = RESPONSES[name]
        direct, usual = on_both_ways(scripted, operation, reply)
        assert usual == direct


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
        """Trusted by what botocore trusts, which here is this one. Its connection is kept."""
        files = authority("localhost")
        monkeypatch.setattr("botocore.httpsession.where", lambda: files["certfile"])
        monkeypatch.setattr(lane, "get_cert_path", lambda _: files["certfile"])
        server = scripted(OK, RECEIVED, **files)
        client = make_client(server.url)
        outcome(client)
        assert ["Messages"] * 3 == [name for _ in range(3) for name in outcome(client)]
        assert [False, True, True, True] == [took_the_lane(one) for one in server.seen]
        assert 1 + 1 == server.connections

    @pytest.mark.parametrize(
        ("host", "trusted"),
        [("localhost", False), ("example.com", True)],
        ids=["unknown authority", "another host's"],
    )
    def test_a_wrong_certificate_is_refused(self, scripted, authority, monkeypatch, host, trusted):
        """Nothing is sent to the server."""
        files = authority(host)
        if trusted:
            monkeypatch.setattr("botocore.httpsession.where", lambda: files["certfile"])
            monkeypatch.setattr(lane, "get_cert_path", lambda _: files["certfile"])
        server = scripted(OK, **files)
        client = make_client(server.url)
        expected = ("SSLError", "SSLError", None, {})
        assert [expected, expected] == [outcome(client), outcome(client)]
        assert client._lane is not None
        assert client._lane.knows("ReceiveMessage")
        assert [] == server.seen

    def test_trust_of_ones_own_is_left_to_botocore(self, scripted, authority, monkeypatch):
        """AWS_CA_BUNDLE, as behind a proxy that looks into TLS."""
        files = authority("localhost")
        monkeypatch.setenv("AWS_CA_BUNDLE", files["certfile"])
        server = scripted(OK, **files)
        client = make_client(server.url)
        assert [{}, {}] == [outcome(client), outcome(client)]
        assert [False, False] == [took_the_lane(one) for one in server.seen]


def test_a_proxy_is_left_to_botocore(scripted, monkeypatch):
    """It gets the whole address in the request line."""
    proxy = scripted(OK)
    monkeypatch.setenv("http_proxy", proxy.url)
    client = make_client("http://sqs.example.com")
    assert [{}, {}] == [outcome(client), outcome(client)]
    assert proxy.seen[1].startswith(b"POST http://sqs.example.com/ ")


def test_an_endpoint_below_a_path_is_left_to_botocore(scripted):
    """The lane knows only one path."""
    server = scripted(OK)
    client = make_client(f"{server.url}/sqs")
    assert [{}, {}] == [outcome(client), outcome(client)]
    assert [False, False] == [took_the_lane(one) for one in server.seen]


def test_without_credentials_botocore_says_so(monkeypatch):
    """With its own error, which the start of a kicker knows."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert "NoCredentialsError" == outcome(make_client("http://127.0.0.1:9"))[0]
