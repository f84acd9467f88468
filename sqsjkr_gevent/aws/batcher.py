"""Gathers single requests into batch calls, and repeats what fails for the moment."""

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


_Entry = tuple[T, "AsyncResult[None]"]


class Again(SqsjkrError):
    """One entry of a batch failed for a passing reason and is to be sent again."""


class Batcher(Generic[T]):
    """Sends entries in batches of up to `most`, up to `parallel` calls at a time.

    send: makes one call; answers an entry's fate in the order given: None for success, Again to
        repeat it, any other exception as its final answer. A SqsjkrError raised by the call
        repeats all of it.
    linger: seconds a batch waits for company.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Sequence[Exception | None]],
        *,
        most: int,
        linger: float,
        parallel: int,
    ) -> None:
        self._send = send
        self._most = most
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
        self._open: set[AsyncResult[None]] = set()
        self._loop: gevent.Greenlet[[], None] | None = None

    def submit(self, entry: T) -> "AsyncResult[None]":
        """Queue an entry; the result is None once it succeeded, or raises its final answer."""
        result: AsyncResult[None] = AsyncResult()
        if self._closed is not None:
            result.set_exception(self._closed)
            return result
        if self._loop is None:
            self._loop = gevent.spawn(self._run)
        self._open.add(result)
        self._entries.append((entry, result))
        self._filled.set()
        if len(self._entries) >= self._most:
            self._full.set()
        return result

    def cancel(self, result: "AsyncResult[None]", error: Exception) -> None:
        """Send the entry of that result no more.

        The result becomes `error`, or what a call that is under way makes of it.
        """
        self._cancelled[result] = error
        queued = list(self._entries)
        self._entries.clear()
        self._repeat(queued)

    def close(self, timeout: float, error: Exception) -> None:
        """Send what is queued for at most `timeout` seconds, then answer the rest with `error`."""
        self._full.set()
        gevent.spawn(self._drain).join(timeout)
        self._closed = error
        if self._loop is not None:
            self._loop.kill()
        self._calls.kill()
        self._entries.clear()
        # Not only those in the queue: a call killed before it began takes its batch with it.
        for result in list(self._open):
            self._answer(result, error)

    def _drain(self) -> None:
        while self._entries or len(self._calls):
            self._calls.join()
            gevent.sleep(0.01)

    def _run(self) -> None:
        while True:
            self._filled.wait()
            if self._backoff.failures:
                # One call at a time, each after the pause that the one before it ends with.
                self._calls.join()
            self._calls.wait_available()
            self._full.wait(self._linger)
            batch = [self._entries.popleft() for _ in range(min(self._most, len(self._entries)))]
            if not self._entries:
                self._filled.clear()
            if len(self._entries) < self._most:
                self._full.clear()
            if batch:
                self._calls.spawn(self._call, batch)

    def _call(self, batch: list[_Entry[T]]) -> None:
        episode = self._episode
        try:
            answers = self._send([entry for entry, _ in batch])
        except SqsjkrError as error:
            self._pause(error, batch, episode)
            return
        except Exception as error:
            for _, result in batch:
                self._answer(result, error)
            raise
        again = []
        for (entry, result), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Again):
                again.append((entry, result))
                continue
            self._answer(result, answer)
        if again:
            self._pause(next(a for a in answers if isinstance(a, Again)), again, episode)
        else:
            self._backoff.succeeded()

    def _pause(self, error: Exception, batch: list[_Entry[T]], episode: int) -> None:
        if episode == self._episode:
            # Calls that were under way together fail together, and count as one failure.
            self._episode += 1
            self._wait = self._backoff.failed()
            log.warning("batch call failed, repeated", error=str(error), wait=round(self._wait, 2))
        self._repeat(batch)
        gevent.sleep(self._wait)

    def _repeat(self, batch: list[_Entry[T]]) -> None:
        for entry, result in reversed(batch):
            cancelled = self._cancelled.pop(result, None)
            if cancelled is None:
                self._entries.appendleft((entry, result))
            else:
                self._answer(result, cancelled)
        if self._entries:
            self._filled.set()

    def _answer(self, result: "AsyncResult[None]", answer: Exception | None) -> None:
        self._open.discard(result)
        self._cancelled.pop(result, None)
        if answer is None:
            result.set(None)
        else:
            result.set_exception(answer)
