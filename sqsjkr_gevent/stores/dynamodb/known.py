"""What a kicker knows of locks without asking: their tokens, if nobody else takes them."""

from dataclasses import dataclass

#: How many locks are remembered. Beyond that the one least recently taken is forgotten.
MAX_KNOWN = 10_000

#: Instead of a token: there is likely to be no row of that lock.
NO_ROW = 0


@dataclass(slots=True)
class _Lock:
    """owner: None while it is free. is_ours: nobody else held it between our last two times."""

    owner: str | None
    token: int
    is_ours: bool


class KnownLocks:
    """A guess for each lock. A wrong one costs a write that does nothing.

    A lock that other kickers take as well is not guessed, nor is one that this kicker never took,
    once one such had a row: both cost their write unit without a guess.
    """

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}
        self._others_are_new = True

    def guess(self, lock_id: str) -> int | None:
        """The token that the lock has if it is free; NO_ROW; or None: ask."""
        lock = self._locks.get(lock_id)
        if lock is None:
            return NO_ROW if self._others_are_new else None
        return lock.token if lock.is_ours and lock.owner is None else None

    def taken(self, lock_id: str, owner: str, token: int, *, is_new: bool = False) -> None:
        """This kicker has it now. is_new: its row was made for that."""
        before = self._locks.pop(lock_id, None)
        if before is None:
            self._others_are_new = is_new
        # A token after our last one: nobody else had it in between.
        is_ours = is_new or (before is not None and token == before.token + 1)
        self._remember(lock_id, _Lock(owner, token, is_ours))

    def freed(self, lock_id: str, owner: str) -> None:
        """This kicker has given it back."""
        lock = self._locks.get(lock_id)
        if lock is not None and lock.owner == owner:
            lock.owner = None

    def unsure(self, lock_id: str) -> None:
        """Somebody else has it, or nobody knows."""
        lock = self._locks.pop(lock_id, None)
        if lock is None:
            self._others_are_new = False
        self._remember(lock_id, _Lock(None, NO_ROW if lock is None else lock.token, is_ours=False))

    def _remember(self, lock_id: str, lock: _Lock) -> None:
        if len(self._locks) >= MAX_KNOWN:
            del self._locks[next(iter(self._locks))]
        self._locks[lock_id] = lock
