"""Asks the running kicker over HTTP: at the stats address of the config, TCP or a unix socket."""

import json
import socket
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from ..config import KickerSection
from ..errors import ConfigError, SqsjkrError

#: Seconds that the kicker may take to answer.
ANSWER_WITHIN = 10.0

#: Where a kicker that listens on all addresses is asked.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (it is not bound to)

_HINT = "is it running? `sqsjkr-gevent check` says more"


class NoAnswer(SqsjkrError):
    """Nobody answers, or somebody who is no kicker."""


class NotFound(SqsjkrError):
    """The kicker knows nothing of it."""


def connect(section: KickerSection, within: float) -> socket.socket:
    """A connection to the stats address, whose steps may take `within` seconds each."""
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
    """The kicker of a config. Raises ConfigError where the config does not say where it is.

    within: seconds that each answer may take.
    """

    def __init__(self, section: KickerSection, *, within: float = ANSWER_WITHIN) -> None:
        self._section = section
        self._within = within
        self.address = section.stats_socket or f"{section.stats_host}:{section.stats_port}"
        if section.stats_socket is None and section.stats_port == "any":
            raise ConfigError(
                'kicker.stats_port is "any": name that of the running kicker by --stats-port'
            )

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """The JSON object there; what is None in the query is left out.

        Raises NoAnswer, NotFound, and SqsjkrError with what the kicker says is wrong.
        """
        given = {name: value for name, value in query.items() if value is not None}
        status, body = self._ask(f"{path}?{urlencode(given)}" if given else path)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        told = str(answer["error"]) if isinstance(answer, dict) and "error" in answer else None
        if status == 401:
            raise SqsjkrError(
                f"the kicker at {self.address} wants another token: set kicker.stats_token to that "
                f"with which it was started"
            )
        if status == 404 and told is not None:
            raise NotFound(told)
        if told is not None:
            raise SqsjkrError(f"the kicker at {self.address} says: {told}")
        if status != 200 or not isinstance(answer, dict):
            raise NoAnswer(f"what answers at {self.address} is no kicker of this version")
        return answer

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = _Connection(self._section, self._within)
        try:
            connection.request("GET", path, headers=self._headers())
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"no kicker answers at {self.address} ({error}): {_HINT}") from error
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        token = self._section.stats_token
        return {} if token is None else {"Authorization": f"Bearer {token}"}


class _Connection(HTTPConnection):
    """HTTP at the stats address, whatever kind that is."""

    def __init__(self, section: KickerSection, within: float) -> None:
        super().__init__("localhost" if section.stats_socket else _host(section))
        self._section = section
        self._within = within

    def connect(self) -> None:
        self.sock = connect(self._section, self._within)


def _host(section: KickerSection) -> str:
    return _ANY.get(section.stats_host, section.stats_host)
