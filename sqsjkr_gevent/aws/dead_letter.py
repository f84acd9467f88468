"""One message of a dead-letter queue: read from SQS's answer, and as it is sent again."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What the attributes that a kicker adds begin with.
_OURS = "Sqsjkr"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message of the dead-letter queue.

    original_id: of the message that a kicker gave up; the id, where SQS moved it. sent_at: epoch
    seconds. reason: the kicker's, None where SQS moved it. attributes: as its sender gave them.
    """

    id: str
    original_id: str
    receipt_handle: str
    body: str
    sent_at: float
    receives: int
    group_id: str | None
    reason: str | None
    attributes: Mapping[str, Any]


def read(raw: Mapping[str, Any]) -> DeadLetter:
    """A message of ReceiveMessage's answer."""
    system, given = raw.get("Attributes", {}), raw.get("MessageAttributes", {})
    return DeadLetter(
        id=raw["MessageId"],
        original_id=_text(given, f"{_OURS}MessageId") or raw["MessageId"],
        receipt_handle=raw["ReceiptHandle"],
        body=raw["Body"],
        sent_at=int(system.get("SentTimestamp", 0)) / 1000,
        receives=int(system.get("ApproximateReceiveCount", 1)),
        group_id=system.get("MessageGroupId"),
        reason=_text(given, f"{_OURS}Reason"),
        attributes={name: one for name, one in given.items() if not name.startswith(_OURS)},
    )


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value: str | None = attributes.get(name, {}).get("StringValue")
    return value


def again(letter: DeadLetter, *, fifo: bool) -> dict[str, Any]:
    """What a message is sent with. A group's name can be that of a standard queue as well."""
    message: dict[str, Any] = {"MessageBody": letter.body}
    if letter.attributes:
        message["MessageAttributes"] = letter.attributes
    if letter.group_id or fifo:
        message["MessageGroupId"] = letter.group_id or letter.id
    if fifo:
        # Not the old one: SQS would take the message for a repetition, and drop it.
        message["MessageDeduplicationId"] = uuid.uuid4().hex
    return message
