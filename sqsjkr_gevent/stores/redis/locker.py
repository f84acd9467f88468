"""Locks in Redis, one hash each."""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...clock import Clock
from ...errors import AlreadyLocked, LeaseLost
from ..lapse import LeaseWatch
from ..locker import Holder
from . import scripts

if TYPE_CHECKING:
    from .server import Server

#: The key of a free lock is kept for this many seconds, for its fencing token.
FREE_LOCK_KEPT = 30 * 86400


class RedisLocker:
    """Locks of all hosts that use the server.

    prefix: of the keys, such as "sqsjkr" for `sqsjkr:lock:LOCK_ID`. lease: seconds, as in
    `[locker] lease`.
    """

    lease: float | None

    def __init__(
        self, server: "Server", prefix: str, *, lease: float, clock: Clock = time.monotonic
    ) -> None:
        self.lease = lease
        self._seconds = lease
        self._server = server
        self._table = prefix
        self._prefix = f"{prefix}:lock:"
        self._watch = LeaseWatch(clock)

    def check(self) -> None:
        """Raises StartError if the server denies access, StoreError if it fails."""
        self._server.check(f"{self._table}:check")

    def acquire(
        self,
        lock_id: str,
        event_id: str,
        *,
        owner: str,
        heir_of: str | None = None,
        free_in: float | None = None,
    ) -> int | None:
        """Take the lock. Raises AlreadyLocked, with the seconds until it may lapse."""

        def take(*seen: str) -> list[Any]:
            at, free = int(time.time()), "" if free_in is None else free_in
            return self._server.run(
                "acquire",
                scripts.ACQUIRE,
                self._prefix + lock_id,
                *(owner, event_id, self._seconds, at, free),
                *(seen or ("", "")),
            )

        taken, *answer = take()
        if taken != scripts.TAKEN:
            refusal = self._refusal(lock_id, answer)
            if refusal.lapses_in and refusal.holder != heir_of:
                raise refusal
            taken, *answer = take(*answer[:2])
            if taken != scripts.TAKEN:
                raise self._refusal(lock_id, answer)
        self._watch.forget(lock_id)
        return int(answer[0])

    def _refusal(self, lock_id: str, answer: list[Any]) -> AlreadyLocked:
        holder, version, lease, free_in = answer
        return AlreadyLocked(
            f"lock {lock_id!r} is held by {holder}",
            lapses_in=self._watch.lapses_in(lock_id, holder, int(version), float(lease)),
            holder=holder,
            free_in=None if free_in is None else float(free_in),
        )

    def renew(self, lock_id: str, owner: str) -> None:
        """Start the lease anew. Raises LeaseLost."""
        [held] = self._server.run(
            "renew", scripts.RENEW, self._prefix + lock_id, owner, urgent=True
        )
        self._require(held, lock_id, owner)

    def release(self, lock_id: str, owner: str) -> None:
        """Give the lock back, its token kept in its key. Raises LeaseLost."""
        self._require(self._free(lock_id, owner), lock_id, owner)

    def holders(self) -> Iterator[Holder]:
        """See ListedLocker. It looks at all keys of the database."""
        for lock_id, held in self._server.scan(self._prefix):
            if "owner" in held:
                yield _holder(lock_id, held)

    def holder(self, lock_id: str) -> Holder | None:
        """See ListedLocker."""
        held = self._server.read(self._prefix + lock_id)
        return _holder(lock_id, held) if "owner" in held else None

    def evict(self, holder: Holder, *, force: bool = False) -> bool:
        """See ListedLocker."""
        version = "" if force or holder.version is None else holder.version
        # Free already: its holder was quicker.
        return self._free(holder.lock_id, holder.owner or "", version) != scripts.HELD

    def _free(self, lock_id: str, owner: str, version: int | str = "") -> int:
        [freed] = self._server.run(
            "release",
            scripts.RELEASE,
            self._prefix + lock_id,
            *(owner, version, FREE_LOCK_KEPT * 1000),
        )
        return int(freed)

    def _require(self, held: int, lock_id: str, owner: str) -> None:
        if held != scripts.TAKEN:
            raise LeaseLost(f"lock {lock_id!r} is not held by {owner}")


def _holder(lock_id: str, held: Mapping[str, str]) -> Holder:
    return Holder(
        lock_id=lock_id,
        event_id=held["event_id"],
        owner=held["owner"],
        version=int(held["version"]),
        lease=float(held["lease"]),
        locked_at=float(held["locked_at"]),
    )
