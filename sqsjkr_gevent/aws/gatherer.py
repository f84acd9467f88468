"""Gathers what many greenlets want done into few calls, without delay while there is little."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import gevent
from gevent.event import AsyncResult

from ..clock import Clock

T = TypeVar("T", bound=Hashable)


@dataclass(eq=False, slots=True)
class _Waiter(Generic[T]):
    """One greenlet in run(). done: set once its entry's fate is known."""

    entry: T
    since: float
    done: "AsyncResult[bool]" = field(default_factory=AsyncResult)


class Gatherer(Generic[T]):
    """Sends entries in calls of up to `max_entries`, each entry once.

    An entry goes out at once while fewer than `at_once` calls are under way. Otherwise it waits
    until `max_entries` wait, a call comes back, or `patience` seconds have passed. Equal entries
    never share a call.

    send: makes one call; returns for each entry, in order, whether it is done. If it raises, none
    of them is known to be. clock: monotonic seconds.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Sequence[bool]],
        *,
        max_entries: int,
        at_once: int,
        patience: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._send = send
        self._max_entries = max_entries
        self._at_once = at_once
        self._patience = patience
        self._clock = clock
        # In order of arrival (a dict used as an ordered set): those that no call has taken yet.
        self._waiting: dict[_Waiter[T], None] = {}
        self._calls: set[gevent.Greenlet[[], None]] = set()
        # Of the calls, those that have not taken their entries yet.
        self._starting = 0
        self._timer: gevent.Greenlet[[], None] | None = None
        self._inside = 0
        self._closed = False

    def run(self, entry: T, within: float | None = None, *, abandon: bool = False) -> bool:
        """Have the entry sent; returns whether it is done. False: it is not, or nobody knows.

        within: seconds after which it is not sent any more. A call that has begun is waited for,
        unless with `abandon`.
        """
        if self._closed:
            return False
        waiter = _Waiter(entry, self._clock())
        self._waiting[waiter] = None
        self._inside += 1
        try:
            self._start()
            waiter.done.wait(within)
            if not waiter.done.ready() and (abandon or waiter in self._waiting):
                return False
            return bool(waiter.done.get())
        finally:
            # Also if this greenlet is killed: what nobody waits for is not sent.
            self._waiting.pop(waiter, None)
            self._inside -= 1

    def give_up(self) -> None:
        """Send none of those that wait: their run() returns False."""
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            waiter.done.set(False)

    def close(self, timeout: float) -> None:
        """Wait for up to `timeout` seconds until nobody is in run(); send nothing afterwards."""
        until = self._clock() + timeout
        while self._inside and self._clock() < until:
            gevent.sleep(0.01)
        self._closed = True
        self.give_up()
        gevent.killall([*self._calls, *([self._timer] if self._timer else [])])

    def _start(self) -> None:
        """Spawn a call if it is time for one, else see to it that nobody waits for too long."""
        unclaimed = len(self._waiting) - self._starting * self._max_entries
        if unclaimed <= 0:
            return
        if len(self._calls) < self._at_once or unclaimed >= self._max_entries:
            self._spawn()
        else:
            self._be_patient(self._patience)

    def _be_patient(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = gevent.spawn_later(seconds, self._hurry)

    def _spawn(self) -> None:
        # It begins in the hub's next turn, so that entries of one moment share a call.
        self._calls.add(gevent.spawn(self._call))
        self._starting += 1

    def _call(self) -> None:
        self._starting -= 1
        batch = self._take()
        try:
            if self._waiting:  # Such as equals of what was taken.
                self._be_patient(self._patience)
            if batch:
                outcomes = self._send([waiter.entry for waiter in batch])
                for waiter, is_done in list(zip(batch, outcomes, strict=True)):
                    waiter.done.set(is_done)
        finally:
            for waiter in batch:
                if not waiter.done.ready():
                    waiter.done.set(False)
            self._calls.discard(gevent.getcurrent())
            if batch and not self._closed:
                self._start()

    def _take(self) -> list[_Waiter[T]]:
        batch: dict[T, _Waiter[T]] = {}
        for waiter in self._waiting:
            if len(batch) == self._max_entries:
                break
            batch.setdefault(waiter.entry, waiter)
        for waiter in batch.values():
            del self._waiting[waiter]
        return list(batch.values())

    def _hurry(self) -> None:
        """The calls under way take long: send the entry that has waited too long without them."""
        self._timer = None
        oldest = next(iter(self._waiting), None)
        if oldest is None or self._closed:
            return
        left = oldest.since + self._patience - self._clock()
        if left <= 0:
            left = self._patience
            if len(self._waiting) > self._starting * self._max_entries:
                self._spawn()
        self._be_patient(left)
