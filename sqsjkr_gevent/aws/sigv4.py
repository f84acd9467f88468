"""AWS Signature Version 4 for requests that differ only in their body.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

What a signature is made of changes rarely: the headers never, the time each second, the key each
day or with new credentials. So all of it but the body is hashed in advance.
"""

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol

_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(Protocol):
    """Credentials at one moment, as botocore's `get_frozen_credentials()` returns them.

    They are compared by value. token: of a session, None for permanent credentials.
    """

    @property
    def access_key(self) -> str:
        """The access key ID."""

    @property
    def secret_key(self) -> str:
        """The secret access key."""

    @property
    def token(self) -> str | None:
        """The session token."""


class Signer:
    """Signs POST requests to the path `/` of one host, which have these headers.

    host: as in the Host header. headers: those besides Host that are signed, by their lower-case
    names. region, service: of the credential scope.
    """

    def __init__(self, host: str, headers: Mapping[str, str], *, region: str, service: str) -> None:
        self._headers = {**headers, "host": host}
        self._region = region
        self._service = service
        self._made_for: tuple[Keys, int] | None = None
        self._key_made_for: tuple[Keys, str] | None = None

    def sign(self, body: bytes, keys: Keys, now: float) -> bytes:
        """All headers of the request but Content-Length, as lines. now: epoch seconds."""
        second = int(now)
        if self._made_for != (keys, second):
            self._prepare(keys, second)
        request = self._request.copy()
        request.update(sha256(body).hexdigest().encode())
        to_sign = self._to_sign + request.hexdigest().encode()
        return self._lines + hmac.digest(self._key, to_sign, "sha256").hex().encode() + b"\r\n"

    def _prepare(self, keys: Keys, second: int) -> None:
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        day = at[:8]
        if self._key_made_for != (keys, day):
            self._key = self._key_of(keys, day)
            self._key_made_for = keys, day
        headers = {**self._headers, "x-amz-date": at}
        if keys.token is not None:
            headers["x-amz-security-token"] = keys.token
        signed = sorted(headers)
        names = ";".join(signed)
        canonical = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
        #: The hash of the canonical request, up to the hash of the body.
        self._request = sha256(f"POST\n/\n\n{canonical}\n{names}\n".encode())
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        self._to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n".encode()
        sent = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._lines = (
            f"{sent}Authorization: {_ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature="
        ).encode()
        self._made_for = keys, second

    def _key_of(self, keys: Keys, day: str) -> bytes:
        key = f"AWS4{keys.secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key
