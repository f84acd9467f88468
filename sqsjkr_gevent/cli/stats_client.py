"""An HTTP client of the running kicker, at the stats address: TCP or a Unix socket."""

import json
import socket
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from ..config import KickerSection
from ..errors import ConfigError, SqsjkrError

#: Seconds within which the kicker must answer.
ANSWER_WITHIN = 10.0

#: The address to connect to if the kicker listens on all addresses.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (nothing is bound)

_HINT = "is it running? `sqsjkr-gevent check` shows more"


class NoAnswer(SqsjkrError):
    """Nothing answers, or something that is not a kicker."""


class NotFound(SqsjkrError):
    """The kicker does not know what was requested."""


def connect(section: KickerSection, within: float) -> socket.socket:
    """Connect to the stats address. within: seconds for each socket operation."""
    if section.stats_socket is None:
        return socket.create_connection((_host(section), section.port), timeout=within)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(within)
        connection.connect(section.stats_socket)
    except BaseException:
        connection.close()
        raise
    return connection


class StatsClient:
    """A client of the config's kicker. Raises ConfigError if the config lacks its address.

    within: seconds within which the kicker must answer.
    """

    def __init__(self, section: KickerSection, *, within: float = ANSWER_WITHIN) -> None:
        self._section = section
        self._within = within
        self.address = section.stats_address
        if section.stats_socket is None and section.stats_port == "any":
            raise ConfigError(
                'kicker.stats_port is "any": give the port of the running kicker with --stats-port'
            )

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Get the JSON object at a path; query values of None are left out.

        Raises NoAnswer, NotFound, and SqsjkrError with the kicker's error message.
        """
        given = {name: value for name, value in query.items() if value is not None}
        status, body = self._request(f"{path}?{urlencode(given)}" if given else path)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        error = str(answer["error"]) if isinstance(answer, dict) and "error" in answer else None
        if status == 401:
            raise SqsjkrError(
                f"the kicker at {self.address} requires another token: set kicker.stats_token to "
                f"the one it was started with"
            )
        if status == 404 and error is not None:
            raise NotFound(error)
        if error is not None:
            raise SqsjkrError(f"the kicker at {self.address} reports: {error}")
        if status != 200 or not isinstance(answer, dict):
            raise NoAnswer(f"the server at {self.address} is not a kicker of this version")
        return answer

    def _request(self, path: str) -> tuple[int, bytes]:
        connection = _Connection(self._section, self._within)
        try:
            connection.request("GET", path, headers=self._headers())
            response: HTTPResponse = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"no kicker answers at {self.address} ({error}): {_HINT}") from error
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        token = self._section.stats_token
        return {} if token is None else {"Authorization": f"Bearer {token}"}


class _Connection(HTTPConnection):
    """An HTTP connection to the stats address, TCP or Unix socket."""

    def __init__(self, section: KickerSection, within: float) -> None:
        super().__init__("localhost" if section.stats_socket else _host(section))
        self._section = section
        self._within = within

    def connect(self) -> None:
        self.sock = connect(self._section, self._within)


def _host(section: KickerSection) -> str:
    return _ANY.get(section.stats_host, section.stats_host)
