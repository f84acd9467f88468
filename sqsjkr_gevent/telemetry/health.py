"""Whether the kicker makes progress, and if not, what is wrong."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ..clock import Clock
from .known import known


@dataclass(slots=True)
class _Calls:
    """The calls of one operation. Times are the clock's; None means never."""

    succeeded_at: float | None = None
    failing_since: float | None = None
    failed_at: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What is wrong, as /healthz says it.

    last_successful_receive, heartbeat_lag: seconds ago, None if unknown. errors: the text of the
    last error of each operation that fails now.
    """

    problems: list[str]
    last_successful_receive: float | None
    heartbeat_lag: float | None
    errors: dict[str, str]

    @property
    def is_well(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"status": "ok" if self.is_well else "failing", **asdict(self)}

    @classmethod
    def from_json(cls, report: dict[str, Any]) -> "HealthReport":
        """The way back. Raises TypeError if it makes no sense."""
        return cls(**known(cls, report))


class Health:
    """Judges the kicker's health from its API calls and heartbeats.

    receive_within: seconds within which a receive must succeed while permits are free.
    clock: monotonic, in seconds.
    """

    #: Seconds that calls may fail before this is a problem, so that one lost packet is none.
    PATIENCE = 5.0

    #: Seconds after its last call until a failing operation is no longer a problem.
    MEMORY = 60.0

    #: Seconds that the heartbeat may lag.
    MAX_LAG = 10.0

    def __init__(self, *, receive_within: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._receive_within = receive_within
        self._started_at = clock()
        self._beat_at = clock()
        self._wanted_since: float | None = None
        self._calls: dict[str, _Calls] = {}
        self.state = "starting"

    def observer(self, service: str) -> Callable[[str, Exception | None], None]:
        """The observer for a client of that service."""

        def observe(operation: str, error: Exception | None) -> None:
            calls = self._calls.setdefault(f"{service}.{operation}", _Calls())
            now = self._clock()
            if error is None:
                calls.failing_since, calls.succeeded_at = None, now
                return
            calls.error, calls.failed_at = str(error), now
            if calls.failing_since is None:
                calls.failing_since = now

        return observe

    def forgive(self, service: str) -> None:
        """The service works again: its operations no longer count as failing."""
        for name, calls in self._calls.items():
            if name.startswith(f"{service}."):
                calls.failing_since = None

    def beat(self) -> None:
        """Record a heartbeat of the hub."""
        self._beat_at = self._clock()

    def set_receiving(self, wanted: bool) -> None:
        """Record whether a receive is under way."""
        if not wanted:
            self._wanted_since = None
        elif self._wanted_since is None:
            self._wanted_since = self._clock()

    @property
    def received_at(self) -> float | None:
        """The clock's time of the last successful receive, None before the first."""
        calls = self._calls.get("sqs.receive_message")
        return None if calls is None else calls.succeeded_at

    def report(self) -> HealthReport:
        """What is wrong now."""
        now = self._clock()
        failing = {
            name: calls
            for name, calls in self._calls.items()
            if calls.failing_since is not None and now - calls.failed_at < self.MEMORY
        }
        received_at = self.received_at
        return HealthReport(
            problems=list(self._problems(now, failing)),
            last_successful_receive=None if received_at is None else round(now - received_at, 3),
            heartbeat_lag=round(now - self._beat_at, 3),
            errors={name: calls.error for name, calls in failing.items()},
        )

    def _problems(self, now: float, failing: dict[str, _Calls]) -> Iterator[str]:
        if self.state != "running":
            yield f"the kicker is {self.state}"
        if now - self._beat_at > self.MAX_LAG:
            yield f"the heartbeat lags by {now - self._beat_at:.0f} s"
        for name, calls in failing.items():
            seconds = 0.0 if calls.failing_since is None else now - calls.failing_since
            if seconds > self.PATIENCE:
                yield f"{name} has failed for {seconds:.0f} s: {calls.error}"
        if self._wanted_since is not None:
            received_at = self._started_at if self.received_at is None else self.received_at
            idle = now - max(self._wanted_since, received_at)
            if idle > self._receive_within:
                yield f"no receive has succeeded for {idle:.0f} s"
