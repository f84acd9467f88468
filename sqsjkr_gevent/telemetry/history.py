"""How jobs ended: the record of each, and a history that keeps the last thousand in memory."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

#: Bytes kept of a job's output: half from its start, half from its end.
MAX_OUTPUT = 4096

#: Records kept if there is no file for them.
MAX_IN_MEMORY = 1000

#: Seconds that one bucket of the series covers, and that the series goes back.
STEP = 10
SERIES_OVER = 3600


class Record(NamedTuple):
    """How one run of one job ended. A tuple, which is quick to make: each job makes one.

    command: empty if the message was invalid. cause: why it ended, in one word; reason: in a few.
    sent_at, ended_at: epoch seconds. waited: seconds from its send until it started, or until it
    ended if it never started. ran: seconds, None if it did not start. attempt: the receive count
    of the message. host, pid: of the kicker. seq: its number in the history.
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
        """As a JSON object, with or without the output."""
        fields = self._asdict()
        if not output:
            del fields["output"]
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Selects records, newest first. Times are epoch seconds; None selects any.

    before: only records with a smaller seq. limit: how many at most.
    """

    job_id: str | None = None
    event_id: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 50

    def matches(self, record: Record) -> bool:
        """Whether it selects that record."""
        return (
            self.job_id in (None, record.job_id)
            and self.event_id in (None, record.event_id)
            and self.outcome in (None, record.outcome)
            and (self.since is None or record.ended_at >= self.since)
            and (self.until is None or record.ended_at <= self.until)
            and (self.before is None or record.seq < self.before)
        )


@dataclass(slots=True)
class Tally:
    """How many jobs ended with one outcome in one bucket. waited: the sum of their seconds."""

    ends: int = 0
    waited: float = 0.0

    def add(self, waited: float, ends: int = 1) -> None:
        """Count `ends` more, which waited that long in total."""
        self.ends += ends
        self.waited += waited


#: Epoch seconds of a bucket's start, and an outcome.
Bucket = tuple[int, str]


def bucket(record: Record) -> Bucket:
    """The bucket that counts it."""
    return int(record.ended_at) // STEP * STEP, record.outcome


class Written(Protocol):
    """Tells when a record is on disk."""

    def wait(self, timeout: float) -> object:
        """Wait for that, at most `timeout` seconds."""


class History(Protocol):
    """Keeps records of how jobs ended."""

    def add(self, record: Record) -> Written | None:
        """Keep it. Returns at once; if it is not on disk yet, with what can be waited for."""

    def find(self, query: Query) -> list[Record]:
        """The records that match, newest first. Raises StoreError."""

    def totals(self) -> Mapping[str, int]:
        """How many jobs ended with each outcome since the kicker, or the fleet, started."""

    def series(self, since: float) -> Mapping[Bucket, Tally]:
        """The buckets that start at `since` (epoch seconds) or later."""

    def check(self) -> None:
        """Raises StartError if it cannot keep records."""

    def close(self) -> None:
        """Write what is not on disk yet."""


class MemoryHistory:
    """The last records of this process. limit: how many."""

    def __init__(self, limit: int = MAX_IN_MEMORY) -> None:
        self._records: deque[Record] = deque(maxlen=limit)
        self._totals: Counter[str] = Counter()
        self._series: dict[Bucket, Tally] = {}
        self._seq = 0

    def add(self, record: Record) -> None:
        """See History."""
        self._records.append(record)
        self._seq += 1
        self._totals[record.outcome] += 1
        key = bucket(record)
        if key not in self._series:
            oldest = key[0] - SERIES_OVER
            self._series = {at: tally for at, tally in self._series.items() if at[0] >= oldest}
        self._series.setdefault(key, Tally()).add(record.waited)

    def find(self, query: Query) -> list[Record]:
        """See History."""
        found = []
        for record in self._newest_first():
            if query.matches(record):
                found.append(record)
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
        """It always can."""

    def close(self) -> None:
        """Nothing to write."""

    def _newest_first(self) -> Iterator[Record]:
        for back, record in enumerate(reversed(self._records)):
            yield record._replace(seq=self._seq - back)
