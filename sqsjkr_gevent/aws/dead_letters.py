"""Reads, redrives and deletes the messages of the dead-letter queue.

SQS has no peek: to see a message is to receive it, so nobody else can receive it for a while.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from .batches import batches
from .client import CallError, Client
from .dead_letter import DeadLetter, again, read
from .lookup import queue_attributes
from .sqs import MAX_BATCH

#: The visibility timeout of the messages that are read, in seconds.
VISIBILITY_TIMEOUT = 30

#: Seconds that a receive waits, so that SQS queries all of its servers before it returns nothing.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT = 1

#: Receives in a row without a new message before batches() ends.
MAX_STALE = 3


class DeadLetters:
    """The queue during a `with` block; at its end, messages not deleted become visible again.

    Raises what botocore raises.
    """

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url
        self._received: dict[str, DeadLetter] = {}
        self._seen: set[str] = set()
        self._sent: set[str] = set()
        #: Whether batches() ends, or has ended, before it has returned all messages.
        self.stopped = False

    def __enter__(self) -> "DeadLetters":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        received = list(self._received.values())
        self._received = {}
        try:
            for batch in _batches(received):
                entries = _entries(batch, VisibilityTimeout=0)
                self._call("change_message_visibility_batch", entries)
        except CallError:
            pass  # They become visible by themselves after VISIBILITY_TIMEOUT seconds.

    def stop(self) -> None:
        """End batches() after the current call."""
        self.stopped = True

    def count(self) -> int:
        """Approximate number of visible messages."""
        return int(
            queue_attributes(self._client, self._url).get("ApproximateNumberOfMessages", "0")
        )

    def batches(self, limit: int | None = None) -> Iterator[list[DeadLetter]]:
        """Up to `limit` messages, each once, as they are received: up to ten at a time.

        Omits messages that were redriven from here and have already come back.
        """
        stale = 0
        left = limit
        while stale < MAX_STALE and left != 0 and not self.stopped:
            received = self._receive(MAX_BATCH if left is None else min(left, MAX_BATCH))
            if not received:
                return
            fresh = [one for one in received if one.id not in self._seen]
            self._received.update((one.id, one) for one in received)
            self._seen.update(one.id for one in received)
            fresh = [one for one in fresh if not {one.id, one.original_id} & self._sent]
            stale = 0 if fresh else stale + 1
            if fresh:
                left = None if left is None else left - len(fresh)
                yield fresh

    def send_on(self, url: str, letters: Sequence[DeadLetter]) -> dict[str, str]:
        """Send them to the queue `url`, then delete them here. Returns failed ids with the reason.

        They keep their senders' attributes and, in a FIFO queue, their group. A kill in between
        leaves a message in both queues. In a FIFO queue nothing is sent after a refused message,
        including later batches().
        """
        fifo = url.endswith(".fifo")
        failed: dict[str, str] = {}
        for batch in _batches(letters, 1 if fifo else MAX_BATCH):
            entries = [{"Id": str(at), **again(one, fifo=fifo)} for at, one in enumerate(batch)]
            response = self._client.call("send_message_batch", QueueUrl=url, Entries=entries)
            sent = {int(one["Id"]): one["MessageId"] for one in response.get("Successful", [])}
            self._sent.update(sent.values())
            refused = _failures(batch, response, sent)
            failed |= refused
            left = self.delete([batch[at] for at in sent])
            failed |= {one: f"sent, but not deleted here: {why}" for one, why in left.items()}
            if refused and fifo:
                self.stop()
                later = letters[letters.index(batch[0]) + 1 :]
                return failed | {one.id: "it comes after one that was refused" for one in later}
        return failed

    def delete(self, letters: Sequence[DeadLetter]) -> dict[str, str]:
        """Delete them. Returns failed ids with the reason."""
        failed: dict[str, str] = {}
        for batch in _batches(letters):
            response = self._call("delete_message_batch", _entries(batch))
            gone = {int(one["Id"]) for one in response.get("Successful", [])}
            failed |= _failures(batch, response, gone)
            for at in gone:
                del self._received[batch[at].id]
        return failed

    def _receive(self, limit: int) -> list[DeadLetter]:
        response = self._client.call(
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=WAIT,
            VisibilityTimeout=VISIBILITY_TIMEOUT,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [read(raw) for raw in response.get("Messages", [])]

    def _call(self, operation: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return self._client.call(operation, QueueUrl=self._url, Entries=entries)


def _entries(letters: Sequence[DeadLetter], **more: int) -> list[dict[str, Any]]:
    return [
        {"Id": str(at), "ReceiptHandle": one.receipt_handle, **more}
        for at, one in enumerate(letters)
    ]


def _failures(
    letters: Sequence[DeadLetter], response: Mapping[str, Any], done: Iterable[int]
) -> dict[str, str]:
    reported = {int(one["Id"]): one for one in response.get("Failed", [])}
    failed = {}
    for at in set(range(len(letters))) - set(done):
        one = reported.get(at, {"Code": "NoResult", "Message": "SQS returned no result for it"})
        failed[letters[at].id] = f"{one.get('Code')}: {one.get('Message', '')}"
    return failed


def _batches(
    letters: Iterable[DeadLetter], max_entries: int = MAX_BATCH
) -> Iterator[list[DeadLetter]]:
    return batches(letters, _size, max_entries=max_entries)


def _size(letter: DeadLetter) -> int:
    attributes = letter.attributes.items()
    return len(letter.body.encode()) + sum(
        len(name) + len(str(value)) for name, value in attributes
    )
