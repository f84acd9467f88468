"""The memory of which jobs were run: what a custom throttler implements, and what ours add."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..errors import DuplicatedMessage, StoreError


class Throttler(Protocol):
    """All that a custom throttler needs.

    It knows no leases, so a job whose kicker was killed counts as seen and does not run again.
    Any exception other than DuplicatedMessage means that the store fails: the job does not run,
    and its message goes back to the queue.
    """

    def set(self, job_id: str) -> None:
        """Remember the job. Raises DuplicatedMessage if it was seen before."""

    def unset(self, job_id: str) -> None:
        """Forget a job that did not run after all."""


@runtime_checkable
class LeasedThrottler(Protocol):
    """A throttler that tells apart jobs that are done, in progress, and lapsed.

    lease: seconds that a job stays in progress without a renewal; None if it never lapses.
    All methods raise StoreError if the store cannot be reached.
    """

    lease: float | None

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Mark the job as in progress by `owner`.

        Returns the owner of a lapsed run that it takes over, else None.
        Raises DuplicatedMessage if the job is done, JobInProgress if another owner runs it.
        """

    def renew(self, job_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost if `owner` no longer has the job."""

    def done(self, job_id: str, owner: str) -> None:
        """Mark the job as done: it must not run again."""

    def release(self, job_id: str, owner: str) -> None:
        """Forget the job, which did not run. Raises LeaseLost if it is no longer `owner`'s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InProgress:
    """A job in progress, as its store has it. version: grows with each renewal. lease: seconds."""

    job_id: str
    owner: str
    version: int
    lease: float


@runtime_checkable
class ListedThrottler(Protocol):
    """A throttler that can list who runs which job. All methods raise StoreError."""

    def running(self) -> Iterator[InProgress]:
        """All jobs in progress, in no order. Raises StartError if that is not allowed."""

    def forget(self, seen: InProgress) -> bool:
        """Forget the job, as if it had never been claimed.

        Returns False if owner and version are no longer those of `seen`.
        """


class NoThrottler:
    """No memory: only the visibility timeout keeps a job from running twice."""

    lease: float | None = None

    def claim(self, job_id: str, *, owner: str) -> str | None:
        """Always the first."""
        return None

    def renew(self, job_id: str, owner: str) -> None:
        """Nothing to renew."""

    def done(self, job_id: str, owner: str) -> None:
        """Nothing to remember."""

    def release(self, job_id: str, owner: str) -> None:
        """Nothing to forget."""


class _Unleased:
    """A custom throttler seen as a leased one: what was set is done until it is unset."""

    lease: float | None = None

    def __init__(self, throttler: Throttler) -> None:
        self._throttler = throttler

    def claim(self, job_id: str, *, owner: str) -> str | None:
        try:
            self._throttler.set(job_id)
        except DuplicatedMessage:
            raise
        except Exception as error:
            raise StoreError(f"throttler failed to set {job_id!r}: {error!r}") from error
        return None

    def renew(self, job_id: str, owner: str) -> None:
        pass

    def done(self, job_id: str, owner: str) -> None:
        pass

    def release(self, job_id: str, owner: str) -> None:
        try:
            self._throttler.unset(job_id)
        except Exception as error:
            raise StoreError(f"throttler failed to unset {job_id!r}: {error!r}") from error


def as_leased_throttler(throttler: Throttler | LeasedThrottler) -> LeasedThrottler:
    """Any throttler, as a LeasedThrottler."""
    return throttler if isinstance(throttler, LeasedThrottler) else _Unleased(throttler)
