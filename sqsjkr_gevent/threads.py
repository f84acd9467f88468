"""Runs blocking calls in native threads so that they do not block the hub."""

import signal
from collections import deque
from typing import Any

import gevent
from gevent import monkey
from gevent.hub import Waiter

from .errors import HostExhausted

# The unpatched ones: gevent's would run in the hub.
_start_thread = monkey.get_original("_thread", "start_new_thread")
_SimpleQueue: Any = monkey.get_original("queue", "SimpleQueue")
_Empty: Any = monkey.get_original("queue", "Empty")


class Call:
    """One call to make in a thread. Subclasses implement make()."""

    __slots__ = ("_waiter", "is_over", "raised")

    def __init__(self) -> None:
        self.is_over = False
        #: The exception that make() raised.
        self.raised: Exception | None = None
        self._waiter: Waiter[None] = Waiter()

    def make(self) -> None:
        """Make the call. It runs in a native thread, so it must not use gevent."""
        raise NotImplementedError

    def make_here(self) -> None:
        """Make the call in the current thread, and keep what it raises."""
        try:
            self.make()
        except Exception as error:  # noqa: BLE001  (kept for the caller)
            self.raised = error

    def wait(self) -> BaseException | None:
        """Wait until the thread is done. Returns what was raised in this greenlet meanwhile.

        The wait cannot be interrupted: the thread may still use what the call refers to.
        """
        raised = None
        while not self.is_over:
            try:
                self._waiter.get()
            except BaseException as error:  # noqa: BLE001  (raised again by the caller)
                raised = error
        return raised

    def done(self) -> None:
        """Mark the call as over and wake its waiter. Called in the hub."""
        self.is_over = True
        self._waiter.switch(None)


class Threads:
    """Up to `number` threads. They start with the first call and live until close()."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._alive = 0
        self._under_way = 0
        self._calls = _SimpleQueue()
        self._done: deque[Call] = deque()
        self._wake: Any = None

    def submit(self, call: Call) -> None:
        """Queue the call for a thread; use call.wait() to wait for it.

        Raises HostExhausted if there is no thread and none can be started.
        """
        if self._alive < self._number:
            self._start()
        # The watcher keeps the hub alive only while a call is under way.
        self._under_way += 1
        if self._under_way == 1:
            self._wake.ref = True
        self._calls.put(call)

    def discard(self, error: Exception) -> None:
        """Have the submitted calls that no thread has begun end now, with `error` as raised."""
        while not self._calls.empty():
            try:
                call = self._calls.get_nowait()
            except _Empty:
                break  # A thread was faster.
            call.raised = error
            self._done.append(call)
        if self._wake is not None:
            self._wake.send()

    def close(self) -> None:
        """End the threads once they have made all submitted calls."""
        for _ in range(self._alive):
            self._calls.put(None)
        self._alive = 0
        if self._wake is not None and not self._under_way:  # Otherwise a thread still needs it.
            self._wake.stop()
            self._wake.close()
            self._wake = None

    def _start(self) -> None:
        if self._wake is None:
            self._wake = gevent.get_hub().loop.async_(ref=False)
            self._wake.start(self._take_back)
        while self._alive < self._number:
            try:
                _start_thread(self._serve, (self._wake,))
            except RuntimeError as error:
                if not self._alive:
                    raise HostExhausted(f"the host cannot start a thread: {error}") from error
                return  # Fewer threads are enough; the next call tries again.
            self._alive += 1

    def _serve(self, wake: Any) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        take, give, send = self._calls.get, self._done.append, wake.send
        while True:
            call = take()
            if call is None:
                return
            call.make_here()
            give(call)
            send()

    def _take_back(self) -> None:
        while self._done:
            self._under_way -= 1
            if not self._under_way:
                self._wake.ref = False
            self._done.popleft().done()
