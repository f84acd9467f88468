"""`history`: where ends are read from. Each end is as /api/history gives it."""

import dataclasses
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from ...config import Config, HistorySection
from ...errors import StartError
from ...stores.history import SqliteHistory
from ...telemetry import Query
from ..stats_client import NotFound, StatsClient

#: Ends of one answer of the kicker, and of one look at a single job.
PAGE = 500

End = dict[str, Any]


class Source(Protocol):
    """Knows ends. Raises StoreError or another SqsjkrError."""

    def find(self, query: Query) -> list[End]:
        """The ends asked for, without output, newest first."""

    def of_job(self, job_id: str) -> list[End]:
        """The ends of one job, with output, newest first."""


def source(config: Config) -> Source:
    """The file where the config names one, else the kicker. Raises StartError, ConfigError."""
    if config.history.path is not None:
        return FileSource(config.history)
    return KickerSource(StatsClient(config.kicker))


class FileSource:
    """The file that the kickers of this host write."""

    def __init__(self, section: HistorySection) -> None:
        path = Path(section.path or "")
        if not path.exists():
            raise StartError(
                f"{path.absolute()} is not there: no kicker has kept a history in it (history.path)"
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
    """What the running kicker remembers."""

    def __init__(self, client: StatsClient) -> None:
        self._client = client

    def find(self, query: Query) -> list[End]:
        """See Source."""
        asked = dataclasses.asdict(query)
        ends: list[End] = []
        while len(ends) < query.limit:
            asked["limit"] = min(PAGE, query.limit - len(ends))
            page = self._client.get("/api/history", **asked)
            ends += page["ends"]
            if page["next"] is None:
                break
            asked["before"] = page["next"]
        return ends

    def of_job(self, job_id: str) -> list[End]:
        """See Source."""
        if "/" in job_id:
            return []  # No message id has one, and no path could tell it.
        try:
            ends: list[End] = self._client.get(f"/api/jobs/{quote(job_id)}")["ends"]
        except NotFound:
            return []
        return ends
