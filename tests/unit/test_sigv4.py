"""Signatures are those of botocore, byte for byte."""

import datetime as dt
import json
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from sqsjkr_gevent.aws.sigv4 import Signer

HOST = "dynamodb.eu-central-1.amazonaws.com"
HEADERS = {
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": "DynamoDB_20120810.UpdateItem",
}
NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc).timestamp()
DAY = 86400

ONE = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY", None)
SESSION = ReadOnlyCredentials("ASIAEXAMPLE", "another", "token/with+signs==")


@pytest.fixture
def of_botocore(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Signs as botocore does: returns the headers by their lower-case names."""

    def sign(url: str, headers: dict[str, str], body: bytes, keys: Any, now: float) -> Any:
        moment = dt.datetime.fromtimestamp(now, dt.timezone.utc)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
        request = AWSRequest("POST", url, headers=headers, data=body)
        credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
        service, region = url.split("/")[2].split(".")[:2]
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}

    return sign


def signed(signer: Signer, body: bytes, keys: Any, now: float) -> dict[str, str]:
    """Our headers, by their lower-case names."""
    lines = signer.sign(body, keys, now).decode().rstrip("\r\n").split("\r\n")
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.fixture
def signer() -> Signer:
    """A signer for DynamoDB."""
    return Signer(HOST, HEADERS, region="eu-central-1", service="dynamodb")


BODIES = {
    "empty": b"{}",
    "unicode": json.dumps({"ä": "日本 \U0001f600"}, ensure_ascii=False).encode(),
    "half a surrogate pair": json.dumps({"Body": "\ud800"}).encode(),
    "1 MiB": b'{"Body":"' + b"x" * (1 << 20) + b'"}',
    "no text at all": bytes(range(256)),
}


@pytest.mark.parametrize("keys", [ONE, SESSION], ids=["permanent", "session token"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_signature_is_botocores_byte_for_byte(of_botocore, signer, body, keys):
    """A signature that differs anywhere is refused by AWS, and no local server checks it."""
    expected = of_botocore(f"https://{HOST}/", HEADERS, body, keys, NOON)
    assert {**expected, "host": HOST} == signed(signer, body, keys, NOON)


def test_a_signature_follows_the_clock_and_the_credentials(of_botocore, signer):
    """What is kept between two requests is made anew each second, each day, and for new keys."""
    moments = [
        (ONE, NOON),
        (ONE, NOON + 0.9),
        (ONE, NOON + 1),
        (SESSION, NOON + 1),
        (ONE._replace(secret_key="renewed"), NOON + 1),
        (SESSION._replace(token="renewed"), NOON + 1),
        (ONE, NOON + DAY),
        (ONE, NOON - DAY),  # A clock that was set back.
        (ONE, NOON),
    ]
    for keys, now in moments:
        expected = of_botocore(f"https://{HOST}/", HEADERS, b"{}", keys, now)
        assert {**expected, "host": HOST} == signed(signer, b"{}", keys, now)


@pytest.mark.parametrize(
    "host", ["dynamodb.eu-central-1.example.com:8443", "dynamodb.eu-central-1.localhost:4566"]
)
def test_a_port_belongs_to_the_signed_host(of_botocore, host):
    """As in the Host header."""
    signer = Signer(host, HEADERS, region="eu-central-1", service="dynamodb")
    expected = of_botocore(f"http://{host}/", HEADERS, b"{}", ONE, NOON)
    assert {**expected, "host": host} == signed(signer, b"{}", ONE, NOON)


def test_blanks_in_a_header_are_signed_as_one(of_botocore):
    """Proxies may fold them."""
    headers = {**HEADERS, "x-amz-meta": "a   b "}
    signer = Signer(HOST, headers, region="eu-central-1", service="dynamodb")
    expected = of_botocore(f"https://{HOST}/", headers, b"{}", ONE, NOON)["authorization"]
    assert expected == signed(signer, b"{}", ONE, NOON)["authorization"]
