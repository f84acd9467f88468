"""The lock per `lock_id`: what a custom locker implements, and what ours add to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..errors import AlreadyLocked, StoreError


class Locker(Protocol):
    """All that a custom locker needs.

    An exception other than AlreadyLocked means that the store cannot be trusted now: the job does
    not run, and its message goes back to the queue.
    """

    def lock(self, lock_id: str, event_id: str) -> None:
        """Take the lock. Raises AlreadyLocked where another job holds it."""

    def unlock(self, lock_id: str) -> None:
        """Give the lock back."""


@runtime_checkable
class LeasedLocker(Protocol):
    """A locker whose locks have an owner, a lease and a fencing token.

    lease: seconds a lock stays taken without a renewal; None where it never lapses.
    All methods raise StoreError where the store cannot be reached.
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
        """Take the lock for `owner`; answer its fencing token, None where there is none.

        heir_of: the owner of a lapsed run of the same job, whose lock passes on at once.
        free_in: seconds after which this kicker expects to be through with all its jobs that want
        the lock; it is told to whoever finds the lock taken. Raises AlreadyLocked.
        """

    def renew(self, lock_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost where `owner` no longer holds the lock."""

    def release(self, lock_id: str, owner: str) -> None:
        """Give the lock back. Raises LeaseLost where `owner` no longer holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock, as its store has it.

    owner: None for a sqsjkr host, which leaves no name. version: grows with each renewal. lease:
    seconds; None, as version, where the lock has no lease. locked_at: epoch seconds, by the
    holder's clock, so for people only; None where nobody noted it.
    """

    lock_id: str
    event_id: str
    owner: str | None = None
    version: int | None = None
    lease: float | None = None
    locked_at: float | None = None


@runtime_checkable
class ListedLocker(Protocol):
    """A locker that can say from outside who holds what. All methods raise StoreError."""

    def holders(self) -> Iterator[Holder]:
        """All locks that are held, in no order. Raises StartError where that is not allowed."""

    def holder(self, lock_id: str) -> Holder | None:
        """Who holds that lock now; None where it is free."""

    def evict(self, holder: Holder, *, force: bool = False) -> bool:
        """Free the lock, its token kept; answers False where it is held otherwise by now.

        It is freed only where owner and version are still those of `holder`; with force, where
        the owner is.
        """


class NoLocker:
    """No locks at all: every job may run at once with every other, whatever its lock_id."""

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
        """Always taken."""
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
    """Any locker as the rest of the package speaks to it."""
    return locker if isinstance(locker, LeasedLocker) else _Unleased(locker)
