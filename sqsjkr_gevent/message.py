"""A message as it was received, before anybody looks into its body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Message:
    """One received SQS message.

    id: MessageId, the same for every delivery.
    body: the text as sent.
    receipt_handle: of the newest delivery; a redelivery replaces it.
    sent_at: SentTimestamp, epoch seconds with milliseconds.
    receive_count: ApproximateReceiveCount of the newest delivery.
    group_id: MessageGroupId, None in a standard queue.
    attributes: message attributes as boto3 gives them, forwarded to a dead-letter queue.
    deleted: SQS confirmed the delete; only the queue sets it.
    """

    id: str
    body: str
    receipt_handle: str
    sent_at: float
    receive_count: int = 1
    group_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False
