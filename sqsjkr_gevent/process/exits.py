"""The exits of child processes, all seen by one watcher."""

from collections.abc import Callable
from typing import Any

import gevent


class Exits:
    """Reports each expected child's exit once.

    libev reaps every child that exits, so waitpid or a pidfd elsewhere in this process would not
    find its status. A child may exit before its pid is known here; call expect() before the start.
    """

    def __init__(self) -> None:
        self._calls: dict[int, Callable[[int], None]] = {}
        self._early: dict[int, int] = {}
        self._expected = 0
        self._watcher: Any = gevent.get_hub().loop.child(0)
        self._watcher.start(self._exited)

    def expect(self) -> None:
        """A child is about to be started. A call of started() or failed() must follow."""
        self._expected += 1

    def started(self, pid: int, call: Callable[[int], None]) -> None:
        """The expected child has this pid. `call` gets its wait status, now if it has exited."""
        status = self._early.pop(pid, None)
        self._unexpect()
        if status is None:
            self._calls[pid] = call
        else:
            call(status)

    def failed(self) -> None:
        """The expected child was not started."""
        self._unexpect()

    def close(self) -> None:
        """Stop watching."""
        self._watcher.stop()
        self._watcher.close()

    def _unexpect(self) -> None:
        self._expected -= 1
        if not self._expected:
            self._early.clear()  # The rest are children of other parts of the program.

    def _exited(self) -> None:
        pid, status = self._watcher.rpid, self._watcher.rstatus
        call = self._calls.pop(pid, None)
        if call is not None:
            call(status)
        elif self._expected:
            self._early[pid] = status
