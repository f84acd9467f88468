"""Queues of SQS: what its API and its developer guide promise, and the surprises they allow.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .errors import refusal

#: Seconds that a message can stay hidden after a receive.
_MAX_HIDDEN = 43200

#: Seconds for which a FIFO queue remembers deduplication ids.
_DEDUPLICATED_FOR = 300.0

#: Entries of a batch, and messages of a receive.
_MAX_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprises:
    """How often SQS does what it rarely does, each as a probability.

    twice: a message is delivered again although it is in flight. undeleted: a deleted one is
    delivered once more. entry: an entry of a batch fails, and may be repeated. old: a receipt
    handle that is not the newest still works.
    """

    twice: float = 0.0
    undeleted: float = 0.0
    entry: float = 0.0
    old: float = 0.0


@dataclass(slots=True, eq=False)
class Stored:
    """A message. visible_at: when it can be received. receives: how often it was."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    attributes: Mapping[str, Any]
    group: str | None
    receives: int = 0
    received_at: float = 0.0


@dataclass(slots=True, eq=False)
class Queue:
    """A queue. dead_letters, max_receives: its RedrivePolicy. arrived: called once, at a send."""

    name: str
    fifo: bool
    dead_letters: "Queue | None" = None
    max_receives: int | None = None
    messages: dict[str, Stored] = field(default_factory=dict)
    deduplicated: dict[str, tuple[float, str]] = field(default_factory=dict)
    arrived: list[Callable[[], None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://sqs.example/1/{self.name}"


class Sqs:
    """All queues. clock: epoch seconds. on_gone: called with a queue, a message that has left it
    for good, and why: "deleted" or "redriven".
    """

    def __init__(
        self,
        clock: Callable[[], float],
        chance: Random,
        surprises: Surprises,
        on_gone: Callable[[Queue, Stored, str], None] = lambda queue, message, why: None,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._surprises = surprises
        self._on_gone = on_gone
        self._queues: dict[str, Queue] = {}

    def create(self, name: str, dead_letters: Queue | None = None, receives: int = 1000) -> Queue:
        """A new queue."""
        made = Queue(name, name.endswith(".fifo"), dead_letters, receives)
        self._queues[made.url] = made
        return made

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The response to one call, without the wait of a long poll. Raises ClientError."""
        if operation == "get_queue_url":
            url = Queue(arguments["QueueName"], fifo=False).url
        else:
            url = arguments["QueueUrl"]
        if url not in self._queues:
            raise refusal(operation, "AWS.SimpleQueueService.NonExistentQueue")
        answer: dict[str, Any] = getattr(self, f"_{operation}")(self._queues[url], arguments)
        return answer

    def now(self) -> float:
        """Its time."""
        return self._clock()

    def queue(self, url: str) -> Queue:
        """The queue of that URL."""
        return self._queues[url]

    def next_visible(self, url: str) -> float | None:
        """When the next message that is hidden now becomes visible."""
        now = self._clock()
        times = [one.visible_at for one in self._queues[url].messages.values()]
        return min((at for at in times if at > now), default=None)

    def _get_queue_url(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": queue.url}

    def _get_queue_attributes(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        now = self._clock()
        visible = sum(one.visible_at <= now for one in queue.messages.values())
        attributes = {
            "QueueArn": f"arn:aws:sqs:here:1:{queue.name}",
            "MessageRetentionPeriod": "345600",
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(queue.messages) - visible),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        if queue.dead_letters is not None:
            arn = f"arn:aws:sqs:here:1:{queue.dead_letters.name}"
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": queue.max_receives}
            attributes["RedrivePolicy"] = json.dumps(policy)
        asked = arguments["AttributeNames"]
        return {
            "Attributes": {
                name: value for name, value in attributes.items() if {"All", name} & {*asked}
            }
        }

    def _send_message(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        now = self._clock()
        if queue.fifo:
            key = arguments["MessageDeduplicationId"]
            at, known = queue.deduplicated.get(key, (0.0, ""))
            if known and now - at < _DEDUPLICATED_FOR:
                return {"MessageId": known}
        made = Stored(
            f"m{self._chance.getrandbits(64):016x}",
            arguments["MessageBody"],
            now,
            now,
            arguments.get("MessageAttributes", {}),
            arguments.get("MessageGroupId"),
        )
        if queue.fifo:
            queue.deduplicated[key] = now, made.id
        queue.messages[made.id] = made
        waiting, queue.arrived = queue.arrived, []
        for arrived in waiting:
            arrived()
        return {"MessageId": made.id}

    def _send_message_batch(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        if not arguments["Entries"]:
            raise refusal("SendMessageBatch", "AWS.SimpleQueueService.EmptyBatchRequest")
        raise NotImplementedError

    def _receive_message(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        limit = arguments.get("MaxNumberOfMessages", 1)
        found = [self._delivered(queue, one, arguments) for one in self._some(queue, limit)]
        return {"Messages": found} if found else {}

    def _some(self, queue: Queue, limit: int) -> list[Stored]:
        """Visible messages: in order within each group of a FIFO queue, else in any order."""
        now = self._clock()
        busy = {one.group for one in queue.messages.values() if one.visible_at > now}
        visible = [one for one in queue.messages.values() if one.visible_at <= now]
        if queue.fifo:
            visible = [one for one in visible if one.group not in busy]
        else:
            self._chance.shuffle(visible)
        found = []
        for one in visible:
            if queue.dead_letters is not None and one.receives >= (queue.max_receives or 1000):
                self._redrive(queue, one, queue.dead_letters)
            elif len(found) < limit:
                found.append(one)
        return found

    def _redrive(self, queue: Queue, message: Stored, to: Queue) -> None:
        del queue.messages[message.id]
        to.messages[message.id] = message
        self._on_gone(queue, message, "redriven")

    def _delivered(
        self, queue: Queue, message: Stored, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        now = self._clock()
        message.receives += 1
        message.received_at = now
        message.visible_at = now + arguments.get("VisibilityTimeout", 30)
        if not queue.fifo and self._happens(self._surprises.twice):
            message.visible_at = now
        attributes = {
            "SentTimestamp": str(round(message.sent_at * 1000)),
            "ApproximateReceiveCount": str(message.receives),
        }
        if message.group is not None:
            attributes["MessageGroupId"] = message.group
        return {
            "MessageId": message.id,
            "ReceiptHandle": f"{message.id}#{message.receives}",
            "Body": message.body,
            "Attributes": attributes,
            "MessageAttributes": dict(message.attributes),
        }

    def _delete_message(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        code = self._delete(queue, arguments["ReceiptHandle"])
        if code is not None:
            raise refusal("DeleteMessage", code)
        return {}

    def _delete_message_batch(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._batch(
            "DeleteMessageBatch",
            arguments["Entries"],
            lambda entry: self._delete(queue, entry["ReceiptHandle"]),
        )

    def _change_message_visibility(self, queue: Queue, arguments: dict[str, Any]) -> dict[str, Any]:
        code = self._change(queue, arguments["ReceiptHandle"], arguments["VisibilityTimeout"])
        if code is not None:
            raise refusal("ChangeMessageVisibility", code)
        return {}

    def _change_message_visibility_batch(
        self, queue: Queue, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        return self._batch(
            "ChangeMessageVisibilityBatch",
            arguments["Entries"],
            lambda entry: self._change(queue, entry["ReceiptHandle"], entry["VisibilityTimeout"]),
        )

    def _batch(
        self,
        operation: str,
        entries: list[dict[str, Any]],
        do: Callable[[dict[str, Any]], str | None],
    ) -> dict[str, Any]:
        if not 0 < len(entries) <= _MAX_BATCH:
            raise refusal(operation, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        well, failed = [], []
        for entry in entries:
            again = self._happens(self._surprises.entry)
            code = "InternalError" if again else do(entry)
            if code is None:
                well.append({"Id": entry["Id"]})
            else:
                failed.append({"Id": entry["Id"], "Code": code, "SenderFault": not again})
        return {"Successful": well, "Failed": failed}

    def _delete(self, queue: Queue, handle: str) -> str | None:
        """Delete; returns the error's code, if any."""
        known, message, newest = self._find(queue, handle)
        if not known:
            return "ReceiptHandleIsInvalid"
        if message is None:
            return None  # It is gone already, and SQS says so to nobody.
        now = self._clock()
        if queue.fifo and message.visible_at <= now:
            return "InvalidParameterValue"  # The handle has expired.
        if not newest and not self._happens(self._surprises.old):
            return None  # The request succeeds, and the message stays.
        if not queue.fifo and self._happens(self._surprises.undeleted):
            message.visible_at = now + self._chance.uniform(0, 60)
        else:
            del queue.messages[message.id]
        self._on_gone(queue, message, "deleted")
        return None

    def _change(self, queue: Queue, handle: str, seconds: int) -> str | None:
        """Change the visibility timeout; returns the error's code, if any."""
        known, message, newest = self._find(queue, handle)
        if not known:
            return "ReceiptHandleIsInvalid"
        now = self._clock()
        if message is None:
            return "InvalidParameterValue"
        if message.visible_at <= now:
            return "MessageNotInflight"
        if not newest and not self._happens(self._surprises.old):
            return "InvalidParameterValue"
        if now + seconds > message.received_at + _MAX_HIDDEN:
            return "InvalidParameterValue"
        message.visible_at = now + seconds
        if not seconds:
            waiting, queue.arrived = queue.arrived, []
            for arrived in waiting:
                arrived()
        return None

    @staticmethod
    def _find(queue: Queue, handle: str) -> tuple[bool, Stored | None, bool]:
        """Whether it is a handle at all; its message, if it exists; whether no newer one exists."""
        message_id, _, number = handle.partition("#")
        if not number.isdecimal():
            return False, None, False
        message = queue.messages.get(message_id)
        return True, message, message is not None and message.receives == int(number)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability
