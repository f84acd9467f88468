"""Collects single requests into batch calls and retries those that fail temporarily."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import gevent
from gevent.event import AsyncResult, Event
from gevent.pool import Pool

from ..backoff import Backoff
from ..errors import SqsjkrError
from ..log import get_logger

log = get_logger(__name__)

T = TypeVar("T")


#: Entries that a close fails before other greenlets get their turn.
_AT_ONCE = 100

_Entry = tuple[T, "AsyncResult[None]"]


class Again(SqsjkrError):
    """One entry of a batch failed temporarily; send it again."""


class Batcher(Generic[T]):
    """Sends entries in batches of up to `max_entries`, up to `parallel` calls at a time.

    send: makes one call; returns one result per entry, in order: None for success, Again to
        retry the entry, any other exception as its final result. If it raises a SqsjkrError,
        the whole batch is retried.
    linger: seconds that a batch waits for more entries.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Sequence[Exception | None]],
        *,
        max_entries: int,
        linger: float,
        parallel: int,
    ) -> None:
        self._send = send
        self._max_entries = max_entries
        self._linger = linger
        self._calls = Pool(parallel)
        self._entries: deque[_Entry[T]] = deque()
        self._filled = Event()
        self._full = Event()
        self._backoff = Backoff(0.2, 10.0)
        self._episode = 0
        self._wait = 0.0
        self._closed: Exception | None = None
        self._cancelled: dict[AsyncResult[None], Exception] = {}
        # In order of arrival (a dict used as an ordered set).
        self._open: dict[AsyncResult[None], None] = {}
        self._loop: gevent.Greenlet[[], None] | None = None

    def submit(self, entry: T) -> "AsyncResult[None]":
        """Queue an entry. The result becomes None on success, or raises the entry's error."""
        result: AsyncResult[None] = AsyncResult()
        if self._closed is not None:
            result.set_exception(self._closed)
            return result
        if self._loop is None:
            self._loop = gevent.spawn(self._run)
        self._open[result] = None
        self._entries.append((entry, result))
        self._filled.set()
        if len(self._entries) >= self._max_entries:
            self._full.set()
        return result

    def cancel(self, result: "AsyncResult[None]", error: Exception) -> None:
        """Stop sending the entry of `result`.

        The result raises `error`, unless a call already under way settles it.
        """
        self._cancelled[result] = error
        queued = list(self._entries)
        self._entries.clear()
        self._repeat(queued)

    def close(self, timeout: float, error: Exception) -> None:
        """Send queued entries for up to `timeout` seconds, then fail the rest with `error`."""
        self._full.set()
        gevent.spawn(self._drain).join(timeout)
        self._closed = error
        if self._loop is not None:
            self._loop.kill()
        self._calls.kill()
        self._entries.clear()
        # Includes entries outside the queue: those of calls that were killed before they began.
        for number, result in enumerate(list(self._open), 1):
            self._settle(result, error)
            if number % _AT_ONCE == 0:
                gevent.sleep(0)

    def _drain(self) -> None:
        while self._entries or len(self._calls):
            self._calls.join()
            gevent.sleep(0.01)

    def _run(self) -> None:
        while True:
            self._filled.wait()
            if self._backoff.failures:
                # One call at a time: a failed call ends with the back-off pause.
                self._calls.join()
            self._calls.wait_available()
            self._full.wait(self._linger)
            batch = [
                self._entries.popleft() for _ in range(min(self._max_entries, len(self._entries)))
            ]
            if not self._entries:
                self._filled.clear()
            if len(self._entries) < self._max_entries:
                self._full.clear()
            if batch:
                self._calls.spawn(self._call, batch)

    def _call(self, batch: list[_Entry[T]]) -> None:
        episode = self._episode
        try:
            outcomes = self._send([entry for entry, _ in batch])
        except SqsjkrError as error:
            self._pause(error, batch, episode)
            return
        except Exception as error:
            for _, result in batch:
                self._settle(result, error)
            raise
        again = []
        for (entry, result), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Again):
                again.append((entry, result))
                continue
            self._settle(result, outcome)
        if again:
            self._pause(next(one for one in outcomes if isinstance(one, Again)), again, episode)
        else:
            self._backoff.succeeded()

    def _pause(self, error: Exception, batch: list[_Entry[T]], episode: int) -> None:
        if episode == self._episode:
            # Parallel calls that fail together count as one failure.
            self._episode += 1
            self._wait = self._backoff.failed()
            log.warning("batch call failed, retrying", error=str(error), wait=round(self._wait, 2))
        self._repeat(batch)
        gevent.sleep(self._wait)

    def _repeat(self, batch: list[_Entry[T]]) -> None:
        for entry, result in reversed(batch):
            cancelled = self._cancelled.pop(result, None)
            if cancelled is None:
                self._entries.appendleft((entry, result))
            else:
                self._settle(result, cancelled)
        if self._entries:
            self._filled.set()

    def _settle(self, result: "AsyncResult[None]", error: Exception | None) -> None:
        self._open.pop(result, None)
        self._cancelled.pop(result, None)
        if error is None:
            result.set(None)
        else:
            result.set_exception(error)
