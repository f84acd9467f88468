"""`history`: the sources of ends, in the format of /api/history."""

import dataclasses
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from ...config import Config, HistorySection
from ...errors import StartError
from ...stores.history import SqliteHistory
from ...telemetry import Query
from ..stats_client import NotFound, StatsClient

#: Ends per response of the kicker, and at most for a single job.
PAGE = 500

End = dict[str, Any]


class Source(Protocol):
    """A source of ends. Its methods raise StoreError or another SqsjkrError."""

    def find(self, query: Query) -> list[End]:
        """The matching ends, without output, newest first."""

    def of_job(self, job_id: str) -> list[End]:
        """The ends of one job, with output, newest first."""


def source(config: Config) -> Source:
    """The file, if the config names one, else the kicker. Raises StartError and ConfigError."""
    if config.history.path is not None:
        return FileSource(config.history)
    return KickerSource(StatsClient(config.kicker))


class FileSource:
    """The history file, which the kickers of this host write."""

    def __init__(self, section: HistorySection) -> None:
        path = Path(section.path or "")
        if not path.exists():
            raise StartError(
                f"{path.absolute()} does not exist: no kicker has written it (history.path)"
            )
        self._history = SqliteHistory(str(path), run="", keep=section.keep)

    def find(self, query: Query) -> list[End]:
        """See Source."""
        return [end.as_json(output=False) for end in self._history.find(query)]

    def of_job(self, job_id: str) -> list[End]:
        """See Source."""
        ends = self._history.find(Query(job_id=job_id, limit=PAGE))
        return [end.as_json(output=True) for end in ends]


class KickerSource:
    """The history in the running kicker's memory."""

    def __init__(self, client: StatsClient) -> None:
        self._client = client

    def find(self, query: Query) -> list[End]:
        """See Source."""
        parameters = dataclasses.asdict(query)
        ends: list[End] = []
        while len(ends) < query.limit:
            parameters["limit"] = min(PAGE, query.limit - len(ends))
            page = self._client.get("/api/history", **parameters)
            ends += page["ends"]
            if page["next"] is None:
                break
            parameters["before"] = page["next"]
        return ends

    def of_job(self, job_id: str) -> list[End]:
        """See Source."""
        if "/" in job_id:
            return []  # No message id contains one, and a path cannot express it.
        try:
            ends: list[End] = self._client.get(f"/api/jobs/{quote(job_id)}")["ends"]
        except NotFound:
            return []
        return ends
