"""Sends messages in batches, and retries entries that SQS refused."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...aws import CallError, Client
from ...aws.sqs import MAX_BATCH
from ...backoff import Backoff
from ..failing import aws_error_line

#: SQS accepts no larger message.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
MAX_MESSAGE_BYTES = 1024 * 1024


#: How often an entry is sent if SQS refuses it through no fault of the sender.
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A body, and the number of its line; 0 if it comes from the arguments."""

    number: int
    body: str

    def __str__(self) -> str:
        return f"line {self.number}: " if self.number else ""

    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body.encode())


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one line: its message id, or why it was not sent."""

    line: Line
    message_id: str | None
    reason: str = ""


class Interrupted(Exception):
    """A whole call failed, or going on would break the order of a FIFO queue.

    lines: its batch; no later line was sent.
    """

    def __init__(self, lines: Sequence[Line], reason: str) -> None:
        super().__init__(reason)
        self.lines = lines


class Sender:
    """Sends to one queue.

    fifo: whether to give each message its own deduplication id, unless `options` has one.
    options: parameters of all messages, named as in SQS (DelaySeconds, MessageGroupId).
    """

    def __init__(self, client: Client, url: str, *, fifo: bool, options: Mapping[str, Any]) -> None:
        self._client = client
        self._url = url
        self._fifo = fifo
        self._options = options
        #: 1 for a FIFO queue: an entry that is retried would come after those behind it.
        self.max_batch = 1 if fifo else MAX_BATCH

    def send(self, lines: Sequence[Line]) -> list[Result]:
        """Send one batch. Returns the results in order; raises Interrupted."""
        entries = {str(at): self._entry(str(at), line) for at, line in enumerate(lines)}
        results: dict[str, Result] = {}
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                answer = self._client.call(
                    "send_message_batch", QueueUrl=self._url, Entries=list(entries.values())
                )
            except CallError as error:
                raise Interrupted(lines, aws_error_line(error)) from error
            for one in answer.get("Successful", []):
                results[one["Id"]] = Result(lines[int(one["Id"])], one["MessageId"])
                del entries[one["Id"]]
            last = backoff.failures == ATTEMPTS - 1
            for one in answer.get("Failed", []):
                if one.get("SenderFault") or last:
                    reason = f"{one.get('Code')}: {one.get('Message', '')}"
                    results[one["Id"]] = Result(lines[int(one["Id"])], None, reason)
                    del entries[one["Id"]]
            if not entries or last:
                break
            time.sleep(backoff.failed())
        return self._in_order(lines, results)

    def _in_order(self, lines: Sequence[Line], results: Mapping[str, Result]) -> list[Result]:
        no_result = "SQS returned no result for it"
        ordered = [
            results.get(str(at), Result(line, None, no_result)) for at, line in enumerate(lines)
        ]
        refused = [result for result in ordered if result.message_id is None]
        if self._fifo and refused:
            raise Interrupted(lines, refused[0].reason)
        return ordered

    def _entry(self, at: str, line: Line) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": at, "MessageBody": line.body, **self._options}
        if self._fifo:
            entry.setdefault("MessageDeduplicationId", uuid.uuid4().hex)
        return entry
