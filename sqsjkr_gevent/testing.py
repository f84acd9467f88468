"""Doubles for tests of your own: a queue, a locker and a throttler that need no AWS.

    queue = FakeQueue()
    job_id = queue.send({"command": "my-job --dry-run"})
    run_all(Kicker(conf, queue=queue, locker=FakeLocker(), throttler=FakeThrottler()), queue)
    assert queue.fates[job_id] == "deleted"

The process must be patched by gevent, as for any Kicker.
"""

import json
import time
import uuid
from collections import deque
from typing import Any

import gevent
from gevent.event import Event

from .errors import AlreadyLocked, DuplicatedMessage
from .kicker import Kicker
from .message import Message
from .telemetry import Numbers

#: Seconds that a receive waits for a message.
_POLL = 0.05


class FakeQueue:
    """A queue in memory. Give it to a Kicker as `queue`.

    fates: what became of each message, by its id: "deleted", "dead-letter", or "returned" for one
    that is received again at once. dead_letters: body and reason of each.
    has_dead_letters: whether there is a dead-letter queue. name: as with a real queue, message
    groups order jobs only if it ends in `.fifo`.
    """

    def __init__(self, *, name: str = "fake", has_dead_letters: bool = True) -> None:
        self.name = name
        self.fates: dict[str, str] = {}
        self.dead_letters: list[tuple[str, str]] = []
        self._has_dead_letters = has_dead_letters
        self._waiting: deque[Message] = deque()
        self._received: set[str] = set()
        self._sent = Event()

    def send(self, body: object, *, group_id: str | None = None) -> str:
        """Send a text as it is, or anything else as JSON; returns the message id."""
        text = body if isinstance(body, str) else json.dumps(body)
        message = Message(
            id=str(uuid.uuid4()),
            body=text,
            receipt_handle=str(uuid.uuid4()),
            sent_at=round(time.time(), 3),
            group_id=group_id,
            receive_count=0,
        )
        self._waiting.append(message)
        self._sent.set()
        return message.id

    def is_settled(self) -> bool:
        """Whether no message waits and none is being worked on."""
        return not self._waiting and not self._received

    def open(self) -> float:
        """See Queue."""
        return 4 * 86400.0

    def receive(self, limit: int) -> list[Message]:
        """See Queue."""
        if not self._waiting:
            self._sent.clear()
            self._sent.wait(_POLL)
        found = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        for message in found:
            message.receive_count += 1
            self._received.add(message.id)
        return found

    def delete(self, message: Message) -> None:
        """See Queue."""
        message.deleted = True
        self._received.discard(message.id)
        self.fates.setdefault(message.id, "deleted")

    def change_visibility(self, message: Message, seconds: float) -> None:
        """See Queue; it becomes visible at once."""
        self._received.discard(message.id)
        self.fates[message.id] = "returned"
        self._waiting.append(message)
        self._sent.set()

    def extend_visibility(self, message: Message, seconds: float) -> None:
        """See Queue; it stays invisible while it is worked on."""

    def dead_letter(self, message: Message, reason: str) -> bool:
        """See Queue."""
        if self._has_dead_letters:
            self.dead_letters.append((message.body, reason))
            self.fates[message.id] = "dead-letter"
        return self._has_dead_letters

    def depth(self) -> Numbers:
        """See Queue."""
        return Numbers(len(self._waiting), len(self._received), 0, len(self.dead_letters))

    def close(self, timeout: float) -> None:
        """See Queue."""


class FakeLocker:
    """A Locker in memory. holders: the event_id of each lock's holder, by lock_id.

    calls: ("lock", lock_id) and ("unlock", lock_id), in order.
    """

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []

    def lock(self, lock_id: str, event_id: str) -> None:
        """See Locker."""
        self.calls.append(("lock", lock_id))
        if lock_id in self.holders:
            raise AlreadyLocked(f"lock {lock_id!r} is held", holder=self.holders[lock_id])
        self.holders[lock_id] = event_id

    def unlock(self, lock_id: str) -> None:
        """See Locker."""
        self.calls.append(("unlock", lock_id))
        self.holders.pop(lock_id, None)


class FakeThrottler:
    """A Throttler in memory. seen: the ids of jobs that would be duplicates."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def set(self, job_id: str) -> None:
        """See Throttler."""
        if job_id in self.seen:
            raise DuplicatedMessage(f"job {job_id} was seen")
        self.seen.add(job_id)

    def unset(self, job_id: str) -> None:
        """See Throttler."""
        self.seen.discard(job_id)


def run_all(kicker: Kicker, queue: FakeQueue, *, within: float = 30.0, **options: Any) -> None:
    """Run the kicker until all messages of the queue are settled, then stop it.

    within: seconds, after which it raises AssertionError. options: of Kicker.run. Unless they say
    otherwise, it serves no stats and leaves signals alone.
    """
    options = {"handle_signals": False, "serve_stats": False, **options}
    running = gevent.spawn(kicker.run, **options)
    until = time.monotonic() + within
    while not queue.is_settled() and not running.ready() and time.monotonic() < until:
        gevent.sleep(0.01)
    settled = queue.is_settled()
    kicker.stop()
    running.get()
    assert settled, f"not all messages are settled within {within:g} s"
