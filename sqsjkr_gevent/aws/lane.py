"""The fast lane: calls that are made all the time, without botocore's pipeline around each.

botocore makes the first call of each operation. The lane learns from that request what never
changes: the address, the headers and the credential scope. Further calls put their arguments into a
body, sign it, and send it. Whatever is not a plain success is handed to botocore as if it had sent
the request itself: errors, retries and rare calls stay botocore's.
"""

import re
import ssl
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path

from .encoding import decoded, encoded
from .sigv4 import Keys, Signer
from .wire import (
    CannotConnect,
    Closed,
    Connections,
    ConnectTimedOut,
    ReadTimedOut,
    Response,
    WireError,
)

#: The operations that take the lane. Their arguments hold no bytes and no dates, and of their
#: results only ReceiveMessage's does.
OPERATIONS = frozenset(
    {
        "ReceiveMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
        "UpdateItem",
        "BatchExecuteStatement",
    }
)

#: Headers that are made for each request, or that belong to a single try of botocore's.
_OF_ONE_REQUEST = frozenset(
    {
        "authorization",
        "content-length",
        "host",
        "x-amz-date",
        "x-amz-security-token",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
    }
)

#: Headers that botocore does not sign, because proxies may change them.
_UNSIGNED = frozenset(
    {"user-agent", "expect", "connection", "transfer-encoding", "x-amzn-trace-id"}
)

_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request,")

_CONDITION = "ConditionalCheckFailedException"


class Setback(Exception):
    """A call in the lane did not succeed. Exactly one of the two is set.

    response: what the service said. error: why there is no response.
    """

    def __init__(self, response: Response | None = None, error: WireError | None = None) -> None:
        super().__init__(response, error)
        self.response = response
        self.error = error

    def replay(self, request: Any) -> AWSResponse:
        """The response to botocore's `request`, in its own form.

        Raises what botocore's own transport raises if there is no response.
        """
        if self.response is not None:
            headers: Any = self.response.headers()
            return AWSResponse(request.url, self.response.status, headers, _Raw(self.response.body))
        error, url = self.error, request.url
        cause = error.__cause__ if error is not None else None
        if isinstance(error, ConnectTimedOut):
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        if isinstance(cause, ssl.SSLError):
            raise SSLError(endpoint_url=url, error=cause) from error
        if isinstance(error, CannotConnect):
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        if isinstance(error, ReadTimedOut):
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        if isinstance(error, Closed):
            raise ConnectionClosedError(endpoint_url=url, error=error, request=request) from error
        raise HTTPClientError(error=error) from error


class ConditionFailed(Exception):
    """DynamoDB: the condition of a write does not hold. details: its response, parsed."""

    def __init__(self, details: dict[str, Any]) -> None:
        super().__init__(details)
        self.details = details


class FastLane:
    """The lane of one client.

    credentials: botocore's; they are asked for the current keys before each request.
    connect_timeout, read_timeout: see Connections. trusted: path of the CA certificates.
    clock: epoch seconds.
    """

    def __init__(
        self,
        credentials: Any,
        *,
        connect_timeout: float,
        read_timeout: float,
        trusted: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._trusted = trusted
        self._clock = clock
        self._requests: dict[str, _Request] = {}
        self._connections: dict[tuple[str, int, bool], Connections] = {}

    def learn(self, operation: str, request: Any) -> None:
        """Learn from botocore's signed request how that operation is sent."""
        if operation in OPERATIONS and operation not in self._requests:
            scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
            url = urlsplit(request.url)
            is_plain = request.method == "POST" and url.path == "/" and not url.query
            if scope is not None and is_plain and url.hostname:
                self._requests[operation] = self._request(request, scope)

    def _request(self, request: Any, scope: re.Match[str]) -> "_Request":
        url = urlsplit(request.url)
        host, is_tls = url.hostname or "", url.scheme == "https"
        usual = 443 if is_tls else 80
        port = url.port or usual
        place = host, port, is_tls
        if place not in self._connections:
            self._connections[place] = Connections(
                host,
                port,
                _tls(self._trusted) if is_tls else None,
                connect_timeout=self._connect_timeout,
                read_timeout=self._read_timeout,
            )
        name = f"[{host}]" if ":" in host else host
        headers = {
            name.lower(): _text(value)
            for name, value in request.headers.items()
            if name.lower() not in _OF_ONE_REQUEST
        }
        return _Request(
            self._connections[place],
            name if port == usual else f"{name}:{port}",
            headers,
            region=scope[1],
            service=scope[2],
        )

    def knows(self, operation: str) -> bool:
        """Whether calls of that operation can take the lane."""
        return operation in self._requests

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a known operation.

        Raises Setback, ConditionFailed, or what botocore raises if it cannot refresh credentials.
        """
        body = encoded(arguments)
        keys = self._credentials.get_frozen_credentials()
        try:
            response = self._requests[operation].send(body, keys, self._clock())
        except WireError as error:
            raise Setback(error=error) from error
        if response.status != 200:
            raise _failure(response)
        try:
            result: dict[str, Any] = decoded(response.body)
            if operation == "ReceiveMessage":
                _decode_binary(result)
        except (ValueError, TypeError, AttributeError) as error:
            raise Setback(response) from error
        return result


class _Request:
    """How one operation is sent."""

    def __init__(
        self,
        connections: Connections,
        host: str,
        headers: Mapping[str, str],
        *,
        region: str,
        service: str,
    ) -> None:
        self._connections = connections
        signed = {name: value for name, value in headers.items() if name not in _UNSIGNED}
        others = {name: value for name, value in headers.items() if name in _UNSIGNED}
        self._signer = Signer(host, signed, region=region, service=service)
        unsigned = "".join(f"{name}: {value}\r\n" for name, value in others.items())
        self._start = f"POST / HTTP/1.1\r\nAccept-Encoding: identity\r\n{unsigned}".encode()

    def send(self, body: bytes, keys: Keys, now: float) -> Response:
        """Send it with that body. Raises WireError."""
        signed = self._signer.sign(body, keys, now)
        head = b"%sContent-Length: %d\r\n%s\r\n" % (self._start, len(body), signed)
        return self._connections.exchange(head + body)


class _Raw:
    """A complete body, in the form that AWSResponse expects."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


def _failure(response: Response) -> Exception:
    """What a response other than 200 is raised as."""
    if response.status == 400 and _CONDITION.encode() in response.body:
        try:
            details = decoded(response.body)
            if details.pop("__type").endswith(f"#{_CONDITION}"):
                return ConditionFailed(details)
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
    return Setback(response)


def _decode_binary(result: dict[str, Any]) -> None:
    """Decode the attributes of received messages that are bytes, as botocore does."""
    for message in result.get("Messages") or ():
        for attribute in (message.get("MessageAttributes") or {}).values():
            if "BinaryValue" in attribute:
                attribute["BinaryValue"] = b64decode(attribute["BinaryValue"])


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _tls(trusted: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=trusted or get_cert_path(True))
