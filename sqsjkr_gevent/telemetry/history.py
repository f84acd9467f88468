"""How jobs ended: what is kept of each end, and the last thousand of them in memory."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

#: Bytes kept of a job's output, half of them from its start and half from its end.
OUTPUT_KEPT = 4096

#: Ends that are kept where no file keeps them.
MEMORY_KEPT = 1000

#: Seconds that one bucket of the series covers, and that the series goes back.
STEP = 10
SERIES_OVER = 3600


class End(NamedTuple):
    """One end of one job. A tuple: one is made for each job.

    command: empty where the message was invalid. cause: one word for why it ended so; reason: in
    words. sent_at, ended_at: epoch seconds. waited: seconds from its send until it started, or
    until it ended where it never did. ran: seconds, None where it did not start. attempt: which
    receive of the message it was. host, pid: of the kicker. seq: its number in the history.
    """

    job_id: str
    event_id: str
    lock_id: str | None
    command: str
    outcome: str
    cause: str
    reason: str
    exit_status: int | None
    sent_at: float
    ended_at: float
    waited: float
    ran: float | None
    attempt: int
    host: str
    pid: int
    output: str
    seq: int = 0

    def as_json(self, *, output: bool) -> dict[str, Any]:
        """All of it, for JSON; with the output or without."""
        fields = self._asdict()
        if not output:
            del fields["output"]
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which ends are asked for, newest first. Times are epoch seconds; None asks for any.

    before: only ends with a smaller seq. limit: at most so many.
    """

    job_id: str | None = None
    event_id: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 50

    def wants(self, end: End) -> bool:
        """Whether the end is one of those."""
        return (
            self.job_id in (None, end.job_id)
            and self.event_id in (None, end.event_id)
            and self.outcome in (None, end.outcome)
            and (self.since is None or end.ended_at >= self.since)
            and (self.until is None or end.ended_at <= self.until)
            and (self.before is None or end.seq < self.before)
        )


@dataclass(slots=True)
class Tally:
    """Ends of one outcome within one bucket. waited: the sum of their seconds."""

    ends: int = 0
    waited: float = 0.0

    def add(self, waited: float, ends: int = 1) -> None:
        """Count `ends` more, that waited so long together."""
        self.ends += ends
        self.waited += waited


#: Epoch seconds of a bucket's start, and an outcome.
Bucket = tuple[int, str]


def bucket(end: End) -> Bucket:
    """Where an end is counted."""
    return int(end.ended_at) // STEP * STEP, end.outcome


class Kept(Protocol):
    """Tells when an end is kept for good."""

    def wait(self, timeout: float) -> object:
        """Wait for that, at most `timeout` seconds."""


class History(Protocol):
    """What is known of ends."""

    def add(self, end: End) -> Kept | None:
        """Keep it; answers at once, with what can be waited for where it is not kept yet."""

    def find(self, query: Query) -> list[End]:
        """The ends asked for, newest first. Raises StoreError."""

    def totals(self) -> Mapping[str, int]:
        """How many ended with each outcome since the kicker, or the fleet, started."""

    def series(self, since: float) -> Mapping[Bucket, Tally]:
        """The buckets that began at `since`, in epoch seconds, or later."""

    def check(self) -> None:
        """Raises StartError where ends cannot be kept."""

    def close(self) -> None:
        """Keep for good what was added."""


class MemoryHistory:
    """The last ends of this process. most: how many."""

    def __init__(self, most: int = MEMORY_KEPT) -> None:
        self._ends: deque[End] = deque(maxlen=most)
        self._totals: Counter[str] = Counter()
        self._series: dict[Bucket, Tally] = {}
        self._seq = 0

    def add(self, end: End) -> None:
        """See History; this is all that is kept."""
        self._ends.append(end)
        self._seq += 1
        self._totals[end.outcome] += 1
        place = bucket(end)
        if place not in self._series:
            oldest = place[0] - SERIES_OVER
            self._series = {at: tally for at, tally in self._series.items() if at[0] >= oldest}
        self._series.setdefault(place, Tally()).add(end.waited)

    def find(self, query: Query) -> list[End]:
        """See History."""
        found = []
        for end in self._newest_first():
            if query.wants(end):
                found.append(end)
                if len(found) == query.limit:
                    break
        return found

    def totals(self) -> Mapping[str, int]:
        """See History."""
        return self._totals

    def series(self, since: float) -> Mapping[Bucket, Tally]:
        """See History."""
        return {at: tally for at, tally in self._series.items() if at[0] >= since}

    def check(self) -> None:
        """Nothing can be wrong."""

    def close(self) -> None:
        """It is gone with the process."""

    def _newest_first(self) -> Iterator[End]:
        for back, end in enumerate(reversed(self._ends)):
            yield end._replace(seq=self._seq - back)
