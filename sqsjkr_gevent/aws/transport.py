"""Sends a client's HTTP requests through geventhttpclient, which is written in C, if possible.

botocore passes each signed request to its `before-send` event, and uses the response that a handler
returns. Credentials, signing, retries and response parsing stay with botocore; this only replaces
urllib3, which is slower.
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

# Before 2.6 geventhttpclient resent requests, also POSTs, that the server might have received.
assert "POST" not in IDEMPOTENT_METHODS

#: Bytes of one read: enough for a response with ten short messages.
_BLOCK = 16384


class LeanTransport:
    """Sends a client's requests over up to `connections` persistent connections.

    connect_timeout, read_timeout: seconds; the latter without a byte of the response. trusted: path
    of the CA certificates.
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
        """Handles that event: returns the response, or None to let botocore send the request.

        Raises what botocore's own transport raises.
        """
        if not isinstance(request.body, bytes | None):
            return None
        origin, path = _split(request.url)
        client = self._clients.get(origin) or self._client(origin)
        url = request.url
        try:
            response = client.request(request.method, path, request.body, _plain(request.headers))
            body = bytes(response.read())
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
        headers: Any = dict(response.headers)
        return AWSResponse(url, response.get_code(), headers, _Raw(body))

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
    """A complete body, in the form that AWSResponse expects."""

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
