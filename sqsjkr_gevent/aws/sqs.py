"""The queue: receive, delete, change visibility. It deals with messages, not jobs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent

from ..config import AccountSection, SqsSection
from ..config.sections import MAX_VISIBILITY
from ..errors import AccessDenied, QueueError, ReceiptHandleInvalid
from ..log import get_logger
from ..message import Message
from ..telemetry import Numbers
from .batcher import Again, Batcher
from .client import CallError, Client, Observer, Session, is_denied, is_refusal
from .dead_letter import attributes_of
from .lookup import check_rights, find_queue
from .pace import Pace
from .rights import SEND_MESSAGE, Right

log = get_logger(__name__)

#: Messages that one receive returns, and entries that one batch holds, at most.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH = 10


#: Seconds that a delete or a visibility change waits to share a batch with others.
LINGER = 0.05

_SYSTEM_ATTRIBUTES = ["SentTimestamp", "ApproximateReceiveCount", "MessageGroupId"]
_DEPTH_ATTRIBUTES = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]
_INVALID_HANDLE = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidIdFormat",
    }
)


@dataclass(frozen=True, slots=True)
class _Change:
    receipt_handle: str
    seconds: int


class SqsQueue:
    """One SQS queue. All methods raise QueueError if SQS fails. Call open() first.

    observe: called after every call with its operation, and its error or None.
    """

    def __init__(
        self,
        session: Session,
        account: AccountSection,
        sqs: SqsSection,
        *,
        observe: Observer,
    ) -> None:
        pace = Pace()
        self.name = sqs.queue_name
        self._owner = account.id
        self._visibility = int(sqs.visibility_timeout)
        self._wait = int(sqs.wait_time)
        self._polls = Client(
            session,
            "sqs",
            account,
            connections=sqs.receivers,
            observe=observe,
            pace=pace,
            wait=sqs.wait_time,
        )
        self._calls = Client(session, "sqs", account, connections=10, observe=observe, pace=pace)
        self._url = ""
        self._dead_letter_name = sqs.dead_letter_queue
        self._dead_letter_url: str | None = None
        self._warned: set[Right] = set()
        self._deletes: Batcher[str] = Batcher(
            self._send_deletes, max_entries=MAX_BATCH, linger=LINGER, parallel=8
        )
        self._changes: Batcher[_Change] = Batcher(
            self._send_changes, max_entries=MAX_BATCH, linger=LINGER, parallel=8
        )

    def open(self) -> float:
        """Find the queue. Returns its message retention in seconds.

        Raises StartError if the queue is missing or access to it is denied.
        """
        found = find_queue(self._calls, self.name, self._owner, self._dead_letter_name)
        for right in found.lacks:
            self._warn_once(right)
        check_rights(self._calls, found.url, self.name, self._owner)
        self._url, self._dead_letter_url = found.url, found.dead_letter_url
        return found.retention

    def _warn_once(self, right: Right) -> None:
        if right not in self._warned:
            self._warned.add(right)
            log.warning("a permission is missing", permission=right.action, so=right.lack)

    def receive(self, limit: int) -> list[Message]:
        """One long poll for up to `limit` messages, at least 1. Returns [] if none came."""
        try:
            response = self._polls.call(
                "receive_message",
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, MAX_BATCH),
                WaitTimeSeconds=self._wait,
                VisibilityTimeout=self._visibility,
                MessageSystemAttributeNames=_SYSTEM_ATTRIBUTES,
                MessageAttributeNames=["All"],
            )
        except CallError as error:
            kind = AccessDenied if is_denied(error) else QueueError
            raise kind(f"queue {self.name!r}: {error}") from error
        return [_message(raw) for raw in response.get("Messages", [])]

    def delete(self, message: Message) -> None:
        """Delete the message. Returns once SQS has confirmed it.

        Raises ReceiptHandleInvalid if the message is no longer ours, for example if it is gone.
        """
        self._settle(message, lambda handle: self._deletes.submit(handle).get())
        message.deleted = True

    def change_visibility(self, message: Message, seconds: float) -> None:
        """Make the message visible `seconds` from now; 0 means immediately.

        Raises ReceiptHandleInvalid if the message is no longer ours.
        """
        bounded = max(0, min(MAX_VISIBILITY, round(seconds)))
        self._settle(
            message,
            lambda handle: self._changes.submit(_Change(handle, bounded)).get(),
        )

    def extend_visibility(self, message: Message, seconds: float) -> None:
        """Keep the message invisible for `seconds` from now, with its current receipt handle.

        Raises as change_visibility does.
        """
        self._changes.submit(_Change(message.receipt_handle, round(seconds))).get()

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Send a copy to the dead-letter queue, with the reason in the attribute SqsjkrReason.

        If SQS rejects it, for example as too long, the copy is sent without the reason. Returns
        False if there is no dead-letter queue. The caller deletes the original.
        """
        url = self._dead_letter_url
        if url is None:
            return False
        whole = attributes_of(message.id, message.attributes, reason)
        try:
            refused = self._copy(url, message, whole)
            if refused is None:
                return True
            last = self._copy(url, message, message.attributes)
        except CallError as error:
            kind = AccessDenied if is_denied(error) else QueueError
            raise kind(f"{SEND_MESSAGE.action} on {url}: {error}") from error
        if last is not None:
            raise QueueError(f"{SEND_MESSAGE.action} on {url}: {last}") from last
        log.error(
            "dead letter sent without its reason: SQS refused it with the reason",
            reason=reason,
            refusal=str(refused),
            job_id=message.id,
        )
        return True

    def _copy(self, url: str, message: Message, attributes: Mapping[str, Any]) -> Exception | None:
        """Send the message with these attributes. Returns why SQS refused it, None if it did not.

        Raises what botocore raises for any other failure.
        """
        refused = None
        for place in _places(url, message):
            try:
                self._calls.call(
                    "send_message",
                    QueueUrl=url,
                    MessageBody=message.body,
                    MessageAttributes=attributes,
                    **place,
                )
            except CallError as error:
                if not is_refusal(error):
                    raise
                refused = error
            else:
                return None
        return refused

    def depth(self) -> Numbers | None:
        """Approximate numbers of messages in it and its dead-letter queue; None before open()."""
        if not self._url:
            return None
        visible, in_flight, delayed = self._approximately(self._url)
        return Numbers(visible, in_flight, delayed, self._dead_letters())

    def _dead_letters(self) -> int | None:
        if self._dead_letter_url is None:
            return None
        try:
            return self._approximately(self._dead_letter_url)[0]
        except QueueError as error:
            # Not an error: a kicker only needs to send there, and the queue's own depth is known.
            log.warning("depth of the dead-letter queue is unknown", reason=str(error))
            return None

    def _approximately(self, url: str) -> list[int]:
        try:
            attributes = self._calls.call(
                "get_queue_attributes", QueueUrl=url, AttributeNames=_DEPTH_ATTRIBUTES
            )["Attributes"]
        except CallError as error:
            raise QueueError(f"depth of {url}: {error}") from error
        return [int(attributes.get(name, 0)) for name in _DEPTH_ATTRIBUTES]

    def close(self, timeout: float) -> None:
        """Send the waiting batches, for up to `timeout` seconds."""
        closed = QueueError("the kicker stopped before SQS confirmed it")
        both = (self._deletes, self._changes)
        gevent.joinall([gevent.spawn(batcher.close, timeout, closed) for batcher in both])

    @staticmethod
    def _settle(message: Message, call: Callable[[str], None]) -> None:
        """Call with the current receipt handle, and again if a redelivery changes it meanwhile."""
        while True:
            handle = message.receipt_handle
            try:
                call(handle)
            except ReceiptHandleInvalid:
                if message.receipt_handle == handle:
                    raise
            else:
                if message.receipt_handle == handle:
                    return

    def _send_deletes(self, handles: Sequence[str]) -> Sequence[Exception | None]:
        return self._send_batch(
            "delete_message_batch", [{"ReceiptHandle": handle} for handle in handles]
        )

    def _send_changes(self, changes: Sequence[_Change]) -> Sequence[Exception | None]:
        # Urgent, because most of them keep a message from becoming visible.
        return self._send_batch(
            "change_message_visibility_batch",
            [
                {"ReceiptHandle": change.receipt_handle, "VisibilityTimeout": change.seconds}
                for change in changes
            ],
            urgent=True,
        )

    def _send_batch(
        self, operation: str, entries: Sequence[dict[str, Any]], *, urgent: bool = False
    ) -> Sequence[Exception | None]:
        numbered = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
        try:
            response = self._calls.call(
                operation, urgent=urgent, QueueUrl=self._url, Entries=numbered
            )
        except CallError as error:
            raise QueueError(f"queue {self.name!r}: {error}") from error
        confirmed = {int(entry["Id"]) for entry in response.get("Successful", [])}
        failed = {int(entry["Id"]): _fault(entry) for entry in response.get("Failed", [])}
        no_result = Again("SQS returned no result for it")
        return [
            None if number in confirmed else failed.get(number, no_result)
            for number in range(len(entries))
        ]


def _places(url: str, message: Message) -> list[dict[str, Any]]:
    """The group arguments to try for a copy of the message, best first.

    In a FIFO queue a group defines the order. In a standard queue it is a tenant of a fair queue,
    which not every SQS-compatible server supports.
    """
    if url.endswith(".fifo"):
        group = message.group_id or message.id
        return [{"MessageGroupId": group, "MessageDeduplicationId": message.id}]
    return [{"MessageGroupId": message.group_id}, {}] if message.group_id else [{}]


def _fault(entry: dict[str, Any]) -> Exception:
    text = f"{entry.get('Code')}: {entry.get('Message', '')}"
    if entry.get("Code") in _INVALID_HANDLE:
        return ReceiptHandleInvalid(text)
    return QueueError(text) if entry.get("SenderFault") else Again(text)


def _message(raw: dict[str, Any]) -> Message:
    attributes = raw.get("Attributes", {})
    return Message(
        id=raw["MessageId"],
        body=raw["Body"],
        receipt_handle=raw["ReceiptHandle"],
        sent_at=int(attributes.get("SentTimestamp", 0)) / 1000,
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        group_id=attributes.get("MessageGroupId"),
        attributes=raw.get("MessageAttributes", {}),
    )
