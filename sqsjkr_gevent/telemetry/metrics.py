"""Counters and histograms for Prometheus. The gauges are in web/exposition.py.

https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from ..job import CAUSES, Outcome

#: Seconds, for anything from short commands to day-long jobs.
_LONG = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)

#: Seconds, for the start of a process.
_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)


class Metrics:
    """The counters and histograms of one kicker.

    registry: has all of them. In a fleet the values are in files; see fleet/values.py.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._jobs = Counter(
            "sqsjkr_jobs", "Jobs that ended.", ["outcome", "reason"], registry=self.registry
        )
        self._ended: dict[tuple[Outcome, str], Counter] = {}
        self._waited = self._histogram(
            "sqsjkr_job_waited_seconds", "From sending a job's message to the job's start.", _LONG
        )
        self._ran = self._histogram(
            "sqsjkr_job_ran_seconds", "From the start to the end of a job's command.", _LONG
        )
        self._ages = self._histogram(
            "sqsjkr_message_age_seconds", "From sending a message to each receive of it.", _LONG
        )
        self._launches = self._histogram(
            "sqsjkr_launch_seconds", "Time to start a job's process.", _SHORT
        )
        self._store_errors = Counter(
            "sqsjkr_store_errors",
            "Jobs sent back because a lock or throttle store failed.",
            registry=self.registry,
        )
        self._calls = Counter(
            "sqsjkr_api_calls",
            "AWS API calls, by result: ok or the error code.",
            ["service", "operation", "result"],
            registry=self.registry,
        )
        self._called: dict[tuple[str, str, str], Counter] = {}
        for outcome in (Outcome.SUCCEEDED, Outcome.ERRORED):
            self._jobs.labels(outcome.value, CAUSES[0])  # rate() needs a first value of zero.

    def _histogram(self, name: str, what: str, bounds: Iterable[float]) -> Histogram:
        return Histogram(name, what, buckets=tuple(bounds), registry=self.registry)

    def count_job(self, outcome: Outcome, cause: str, waited: float, ran: float | None) -> None:
        """A job has ended. waited, ran: seconds; ran is None if it did not start."""
        counter = self._ended.get((outcome, cause))
        if counter is None:
            counter = self._ended[outcome, cause] = self._jobs.labels(outcome.value, cause)
        counter.inc()
        if ran is not None:
            self._waited.observe(waited)
            self._ran.observe(ran)

    def observe_age(self, age: float) -> None:
        """A message was received. age: seconds since it was sent."""
        self._ages.observe(age)

    def observe_launch(self, seconds: float) -> None:
        """A process was started. seconds: how long the start took."""
        self._launches.observe(seconds)

    def count_store_failure(self) -> None:
        """A job goes back to the queue because a store failed."""
        self._store_errors.inc()

    def observer(
        self, service: str, code: Callable[[Exception], str]
    ) -> Callable[[str, Exception | None], None]:
        """The observer for a client of that service. code: returns an error's code."""

        def observe(operation: str, error: Exception | None) -> None:
            called = (service, operation, "ok" if error is None else code(error))
            counter = self._called.get(called)
            if counter is None:
                counter = self._called[called] = self._calls.labels(*called)
            counter.inc()

        return observe
