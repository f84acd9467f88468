"""The dead-letter queue, looked at and emptied.

SQS has no peek: to look at a message is to receive it, which hides it for a while.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from .client import CallError, Client
from .dead_letter import DeadLetter, again, read
from .provision import queue_attributes
from .sqs import MAX_BATCH

#: Seconds that a message is hidden for while it is looked at.
HIDDEN = 30

#: Seconds that a receive waits, so that SQS asks all of its servers before it says: empty.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT = 1

#: Receives that brought nothing new, one after the other, before a look ends.
MAX_STALE = 3

#: Bytes of a batch. SQS takes 1 MiB; older servers like it take 256 KiB.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
BATCH_BYTES = 256 * 1024


class DeadLetters:
    """The queue for the length of a `with` block, whose end gives back what was not deleted.

    Raises what botocore raises.
    """

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url
        self._held: dict[str, DeadLetter] = {}
        self._seen: set[str] = set()
        self._sent: set[str] = set()
        #: Whether batches() has ended, or ends, before it brought all.
        self.stopped = False

    def __enter__(self) -> "DeadLetters":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        held = list(self._held.values())
        self._held = {}
        try:
            for batch in _batches(held, MAX_BATCH):
                entries = _entries(batch, VisibilityTimeout=0)
                self._call("change_message_visibility_batch", entries)
        except CallError:
            pass  # They come back by themselves, once they were hidden for HIDDEN seconds.

    def stop(self) -> None:
        """Have batches() end after the call that is under way."""
        self.stopped = True

    def count(self) -> int:
        """About how many messages can be received."""
        return int(
            queue_attributes(self._client, self._url).get("ApproximateNumberOfMessages", "0")
        )

    def batches(self, most: int | None = None) -> Iterator[list[DeadLetter]]:
        """Up to `most` messages, each once, as they come: up to ten at a time.

        What was sent on from here, and has come back already, is left out.
        """
        stale = 0
        left = most
        while stale < MAX_STALE and left != 0 and not self.stopped:
            received = self._receive(MAX_BATCH if left is None else min(left, MAX_BATCH))
            if not received:
                return
            fresh = [one for one in received if one.id not in self._seen]
            self._held.update((one.id, one) for one in received)
            self._seen.update(one.id for one in received)
            fresh = [one for one in fresh if not {one.id, one.original_id} & self._sent]
            stale = 0 if fresh else stale + 1
            if fresh:
                left = None if left is None else left - len(fresh)
                yield fresh

    def send_on(self, url: str, letters: Sequence[DeadLetter]) -> dict[str, str]:
        """Send them to the queue `url`, then delete them here; answers ids with why not.

        Their attributes are their senders', in a FIFO queue they keep their group. Whoever is
        killed in between leaves a message in both queues. In a FIFO queue nothing is sent after
        one that is refused, also of later batches().
        """
        fifo = url.endswith(".fifo")
        failed: dict[str, str] = {}
        for batch in _batches(letters, 1 if fifo else MAX_BATCH):
            entries = [{"Id": str(at), **again(one, fifo=fifo)} for at, one in enumerate(batch)]
            answer = self._client.call("send_message_batch", QueueUrl=url, Entries=entries)
            sent = {int(one["Id"]): one["MessageId"] for one in answer.get("Successful", [])}
            self._sent.update(sent.values())
            refused = _failures(batch, answer, sent)
            failed |= refused
            left = self.delete([batch[at] for at in sent])
            failed |= {one: f"sent, but not deleted here: {why}" for one, why in left.items()}
            if refused and fifo:
                self.stop()
                later = letters[letters.index(batch[0]) + 1 :]
                return failed | {one.id: "it comes after one that was refused" for one in later}
        return failed

    def delete(self, letters: Sequence[DeadLetter]) -> dict[str, str]:
        """Delete them; answers ids with why not."""
        failed: dict[str, str] = {}
        for batch in _batches(letters, MAX_BATCH):
            answer = self._call("delete_message_batch", _entries(batch))
            gone = {int(one["Id"]) for one in answer.get("Successful", [])}
            failed |= _failures(batch, answer, gone)
            for at in gone:
                del self._held[batch[at].id]
        return failed

    def _receive(self, most: int) -> list[DeadLetter]:
        answer = self._client.call(
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=WAIT,
            VisibilityTimeout=HIDDEN,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [read(raw) for raw in answer.get("Messages", [])]

    def _call(self, operation: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return self._client.call(operation, QueueUrl=self._url, Entries=entries)


def _entries(letters: Sequence[DeadLetter], **more: int) -> list[dict[str, Any]]:
    return [
        {"Id": str(at), "ReceiptHandle": one.receipt_handle, **more}
        for at, one in enumerate(letters)
    ]


def _failures(
    letters: Sequence[DeadLetter], answer: Mapping[str, Any], done: Iterable[int]
) -> dict[str, str]:
    told = {int(one["Id"]): one for one in answer.get("Failed", [])}
    failed = {}
    for at in set(range(len(letters))) - set(done):
        one = told.get(at, {"Code": "Unsaid", "Message": "SQS did not say what became of it"})
        failed[letters[at].id] = f"{one.get('Code')}: {one.get('Message', '')}"
    return failed


def _batches(letters: Iterable[DeadLetter], most: int) -> Iterator[list[DeadLetter]]:
    """At most `most` of them and BATCH_BYTES bytes, as far as one alone is not longer."""
    batch: list[DeadLetter] = []
    size = 0
    for one in letters:
        length = len(one.body.encode()) + sum(
            len(name) + len(str(value)) for name, value in one.attributes.items()
        )
        if batch and (len(batch) == most or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch
