"""States of jobs in Redis, one hash each."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...clock import Clock
from ...errors import DuplicatedMessage, JobInProgress, LeaseLost
from ..lapse import LeaseWatch
from ..throttler import InProgress
from . import scripts

if TYPE_CHECKING:
    from .server import Server

#: The key of a job in progress is kept for at least this many leases after its last renewal.
RUNNING_LEASES = 2


class RedisThrottler:
    """Job states of all hosts that use the server.

    prefix: of the keys, such as "sqsjkr" for `sqsjkr:job:JOB_ID`. lease: seconds a job stays in
    progress without a renewal. retention: seconds a done job's key is kept, at least as long as
    its message may live.
    """

    lease: float | None

    def __init__(
        self,
        server: "Server",
        prefix: str,
        *,
        lease: float,
        retention: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self.lease = lease
        self._seconds = lease
        self._done_for = int(retention * 1000)
        self._running_for = max(self._done_for, int(RUNNING_LEASES * lease * 1000))
        self._server = server
        self._table = prefix
        self._prefix = f"{prefix}:job:"
        self._watch = LeaseWatch(clock)

    def check(self) -> None:
        """Raises StartError if the server denies access, StoreError if it fails."""
        self._server.check(f"{self._table}:check")

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Mark the job as in progress. Raises DuplicatedMessage or JobInProgress."""

        def take(*seen: str) -> list[Any]:
            return self._server.run(
                "claim",
                scripts.CLAIM,
                self._prefix + job_id,
                *(owner, self._seconds, self._running_for),
                *(seen or ("", "")),
            )

        taken, *answer = take()
        holder = None
        if taken != scripts.TAKEN:
            refusal = self._refusal(job_id, answer)
            if refusal.lapses_in:
                raise refusal
            holder = refusal.holder
            taken, *answer = take(*answer[:2])
            if taken != scripts.TAKEN:
                raise self._refusal(job_id, answer)
        self._watch.forget(job_id)
        return holder

    def _refusal(self, job_id: str, answer: list[Any]) -> JobInProgress:
        """Why it is refused. Raises DuplicatedMessage if it is done."""
        if not answer:
            self._watch.forget(job_id)
            raise DuplicatedMessage(f"job {job_id} is done")
        holder, version, lease = answer
        return JobInProgress(
            f"job {job_id} is run by {holder}",
            lapses_in=self._watch.lapses_in(job_id, holder, int(version), float(lease)),
            holder=holder,
        )

    def renew(self, job_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        self._change(
            "renew_claim", scripts.RENEW_CLAIM, job_id, owner, self._running_for, urgent=True
        )

    def done(self, job_id: str, owner: str) -> None:
        """Mark the job as done. Raises LeaseLost if another run has it now."""
        self._change("done", scripts.DONE, job_id, owner, self._done_for)

    def release(self, job_id: str, owner: str) -> None:
        """Forget a job that did not run. Raises LeaseLost."""
        self._change("forget", scripts.FORGET, job_id, owner, "")

    def _change(
        self,
        operation: str,
        script: str,
        job_id: str,
        owner: str,
        argument: int | str,
        *,
        urgent: bool = False,
    ) -> None:
        key = self._prefix + job_id
        [made] = self._server.run(operation, script, key, owner, argument, urgent=urgent)
        if made != scripts.TAKEN:
            raise LeaseLost(f"job {job_id} is not run by {owner}")

    def running(self) -> Iterator[InProgress]:
        """See ListedThrottler. It looks at all keys of the database."""
        for job_id, held in self._server.scan(self._prefix):
            if held.get("status") == "running":
                yield InProgress(
                    job_id=job_id,
                    owner=held["owner"],
                    version=int(held["version"]),
                    lease=float(held["lease"]),
                )

    def forget(self, seen: InProgress) -> bool:
        """See ListedThrottler."""
        key = self._prefix + seen.job_id
        [made] = self._server.run("forget", scripts.FORGET, key, seen.owner, seen.version)
        return bool(made == scripts.TAKEN)
