"""How a client's calls go over the wire: in C where they can, else as botocore does it.

botocore offers each signed request to its `before-send` event, and takes the answer of whoever
answers. What is offered, credentials, signature, retries, and what is made of the answer stay
botocore's; only the way in between is shorter than through urllib3.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ssl import SSLError as PythonSSLError
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from geventhttpclient.client import IDEMPOTENT_METHODS, HTTPClient
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

# Before 2.6 it sent a request again that may have been heard, a POST as well.
assert "POST" not in IDEMPOTENT_METHODS

#: Bytes of one read: a full answer of ten short messages.
_BLOCK = 16384


class LeanTransport:
    """Sends a client's requests, each over one of `connections` kept connections.

    connect_timeout, read_timeout: seconds; the latter without a byte of the answer. trusted: path
    of the certificates that a server's may be signed by.
    """

    def __init__(
        self,
        *,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
        trusted: str | None = None,
    ) -> None:
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._trusted = trusted or get_cert_path(True)
        self._clients: dict[str, HTTPClient] = {}

    def before_send(self, request: Any, **_: object) -> AWSResponse | None:
        """A handler of that event: the answer, or None to have botocore send the request.

        Raises what botocore's own transport raises.
        """
        if not isinstance(request.body, bytes | None):
            return None
        origin, path = _split(request.url)
        client = self._clients.get(origin) or self._client(origin)
        url = request.url
        try:
            answer = client.request(request.method, path, request.body, _plain(request.headers))
            body = bytes(answer.read())
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except PythonSSLError as error:
            raise SSLError(endpoint_url=url, error=error) from error
        except (HTTPConnectionClosed, ConnectionResetError, BrokenPipeError) as error:
            raise ConnectionClosedError(endpoint_url=url, error=error, request=request) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        except (HTTPParseError, ValueError) as error:
            raise HTTPClientError(error=error) from error
        headers: Any = dict(answer.headers)
        return AWSResponse(url, answer.get_code(), headers, _Raw(body))

    def _client(self, origin: str) -> HTTPClient:
        client = self._clients[origin] = HTTPClient.from_url(
            origin,
            concurrency=self._connections,
            connection_timeout=self._connect_timeout,
            network_timeout=self._read_timeout,
            ssl_options={"ca_certs": self._trusted},
            block_size=_BLOCK,
        )
        return client


class _Raw:
    """A body that was read, as AWSResponse wants it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


@lru_cache(maxsize=100)
def _split(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    path = parts.path or "/"
    return f"{parts.scheme}://{parts.netloc}", f"{path}?{parts.query}" if parts.query else path


def _plain(headers: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in headers.items()
    }
