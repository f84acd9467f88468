"""A message as received, before its body is parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Message:
    """One received SQS message.

    id: MessageId, the same for every delivery.
    body: the text as sent.
    receipt_handle: from the newest delivery; a redelivery replaces it.
    sent_at: SentTimestamp, epoch seconds with milliseconds.
    receive_count: ApproximateReceiveCount of the newest delivery.
    group_id: MessageGroupId; None in a standard queue.
    attributes: message attributes in boto3's format, forwarded to a dead-letter queue.
    deleted: whether SQS has confirmed the delete; set only by the queue.
    """

    id: str
    body: str
    receipt_handle: str
    sent_at: float
    receive_count: int = 1
    group_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False
