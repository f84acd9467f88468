"""The lock of a `lock_id`: what a custom locker implements, and what ours add to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..errors import AlreadyLocked, StoreError


class Locker(Protocol):
    """All that a custom locker needs.

    Any exception other than AlreadyLocked means that the store fails: the job does not run, and
    its message goes back to the queue.
    """

    def lock(self, lock_id: str, event_id: str) -> None:
        """Take the lock. Raises AlreadyLocked if another job holds it."""

    def unlock(self, lock_id: str) -> None:
        """Give the lock back."""


@runtime_checkable
class LeasedLocker(Protocol):
    """A locker whose locks have an owner, a lease and a fencing token.

    lease: seconds that a lock stays taken without a renewal; None if it never lapses.
    All methods raise StoreError if the store cannot be reached.
    """

    lease: float | None

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        """Take the lock for `owner`; returns its fencing token, None if the store has none.

        heir_of: the owner of a lapsed run of the same job, whose lock passes on at once.
        free_in: seconds after which this kicker expects to be done with all its jobs that want the
        lock; others that find the lock taken get to know it. Raises AlreadyLocked.
        """

    def renew(self, lock_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost if `owner` no longer holds the lock."""

    def release(self, lock_id: str, owner: str) -> None:
        """Give the lock back. Raises LeaseLost if `owner` no longer holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock, as its store has it.

    owner: None for a sqsjkr host, which leaves no name. version: grows with each renewal.
    lease: seconds. Both are None if the lock has no lease. locked_at: epoch seconds by the
    holder's clock, so for people only; None if unknown.
    """

    lock_id: str
    event_id: str
    owner: str | None = None
    version: int | None = None
    lease: float | None = None
    locked_at: float | None = None


@runtime_checkable
class ListedLocker(Protocol):
    """A locker that can list who holds which lock. All methods raise StoreError."""

    def holders(self) -> Iterator[Holder]:
        """All locks that are held, in no order. Raises StartError if that is not allowed."""

    def holder(self, lock_id: str) -> Holder | None:
        """Who holds that lock now; None if it is free."""

    def evict(self, holder: Holder, *, force: bool = False) -> bool:
        """Free the lock but keep its token; returns False if its holder or version has changed.

        It is freed only if owner and version are still those of `holder`; with force, if the
        owner is.
        """


class NoLocker:
    """No locks at all: any job may run beside any other, whatever its lock_id."""

    lease: float | None = None

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        """Always succeeds."""
        return None

    def renew(self, lock_id: str, owner: str) -> None:
        """Nothing to renew."""

    def release(self, lock_id: str, owner: str) -> None:
        """Nothing to give back."""


class _Unleased:
    """A custom locker seen as a leased one whose locks never lapse."""

    lease: float | None = None

    def __init__(self, locker: Locker) -> None:
        self._locker = locker

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        try:
            self._locker.lock(lock_id, event_id)
        except AlreadyLocked:
            raise
        except Exception as error:
            raise StoreError(f"locker failed to lock {lock_id!r}: {error!r}") from error
        return None

    def renew(self, lock_id: str, owner: str) -> None:
        pass

    def release(self, lock_id: str, owner: str) -> None:
        try:
            self._locker.unlock(lock_id)
        except Exception as error:
            raise StoreError(f"locker failed to unlock {lock_id!r}: {error!r}") from error


def as_leased_locker(locker: Locker | LeasedLocker) -> LeasedLocker:
    """Any locker, as a LeasedLocker."""
    return locker if isinstance(locker, LeasedLocker) else _Unleased(locker)
