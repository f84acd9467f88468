"""Lines: runs of this process that want the same thing wait in order of arrival."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from gevent.event import Event

from ..intake import WaitingRoom
from ..log import get_logger
from .run import Run

log = get_logger(__name__)


@dataclass(eq=False, slots=True)
class Waiter:
    """A run in a line. is_first: set once it is its turn. is_returned: it must not run any more."""

    run: Run
    is_first: Event = field(default_factory=Event)
    is_returned: bool = False


class Lines:
    """The lines for all things of one kind, by key. what: that kind, "lock" or "group"."""

    def __init__(self, what: str, room: WaitingRoom) -> None:
        self._what = what
        self._event = f"waits for its {what}"
        self._room = room
        self._lines: dict[str, deque[Waiter]] = {}

    def length(self, key: str) -> int:
        """How many stand in the line, the first one included."""
        return len(self._lines.get(key, ()))

    @contextmanager
    def first(
        self,
        key: str,
        run: Run,
        seconds: float | None = None,
        on_leave: Callable[[Sequence[Waiter]], None] | None = None,
    ) -> Iterator[Waiter]:
        """Be the first of the line for the block.

        seconds: how long to wait at most. on_leave: called with those behind this run when it
        leaves, however it leaves. Raises OverLifeTime or Stopping.
        """
        line = self._lines.setdefault(key, deque())
        me = Waiter(run)
        line.append(me)
        try:
            if line[0] is not me:
                log.info(self._event, holder=line[0].run.owner, **run.names())
                with run.waiting(self._room, self._what, lambda: line[0].run.owner, seconds):
                    me.is_first.wait()
            yield me
        finally:
            if on_leave is not None:
                on_leave(list(line)[line.index(me) + 1 :])
            line.remove(me)
            if line:
                line[0].is_first.set()
            else:
                del self._lines[key]
