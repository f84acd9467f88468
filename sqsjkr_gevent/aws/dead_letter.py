"""One message of a dead-letter queue: as a kicker writes it, as it is read, and as it is redriven.

SQS allows ten attributes. If the sender's and the kicker's together are more, some of the sender's
are packed into one.
"""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Prefix of the attributes that a kicker adds.
_OURS = "Sqsjkr"
_REASON, _MESSAGE_ID, _PACKED = f"{_OURS}Reason", f"{_OURS}MessageId", f"{_OURS}Attributes"

#: Attributes that one message can have.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_ATTRIBUTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message of the dead-letter queue.

    original_id: id of the message that a kicker gave up; the same as id if SQS moved it. sent_at:
    epoch seconds. reason: the kicker's, None if SQS moved it. attributes: the sender's.
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


def attributes_of(message_id: str, given: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The attributes of a dead letter: the sender's, the reason and the original message id.

    given: the message's attributes. If it was a dead letter before, those added then are replaced.
    """
    sent = _senders(given)
    ours = {_REASON: _string(reason), _MESSAGE_ID: _string(message_id)}
    if len(sent) + len(ours) <= MAX_ATTRIBUTES:
        return sent | ours
    kept = MAX_ATTRIBUTES - len(ours) - 1
    packed = {name: _packed(one) for name, one in list(sent.items())[kept:]}
    ours[_PACKED] = _string(json.dumps(packed))
    return dict(list(sent.items())[:kept]) | ours


def _senders(given: Mapping[str, Any]) -> dict[str, Any]:
    """The sender's attributes, including packed ones."""
    sent = {name: one for name, one in given.items() if not name.startswith(_OURS)}
    try:
        packed = json.loads(_text(given, _PACKED) or "{}")
        return sent | {name: _unpacked(one) for name, one in packed.items()}
    except (ValueError, TypeError, AttributeError, KeyError):
        return sent  # Not written by a kicker.


def _packed(one: Mapping[str, Any]) -> dict[str, str]:
    kind = str(one.get("DataType", "String"))
    if "BinaryValue" in one:
        value = base64.b64encode(one["BinaryValue"]).decode()
        return {"DataType": kind, "BinaryValue": value}
    return {"DataType": kind, "StringValue": str(one.get("StringValue", ""))}


def _unpacked(one: Mapping[str, str]) -> dict[str, Any]:
    if "BinaryValue" in one:
        return {**one, "BinaryValue": base64.b64decode(one["BinaryValue"], validate=True)}
    return {"DataType": one["DataType"], "StringValue": one["StringValue"]}


def _string(text: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": text}


def read(raw: Mapping[str, Any]) -> DeadLetter:
    """The dead letter in a message of ReceiveMessage's response."""
    system, given = raw.get("Attributes", {}), raw.get("MessageAttributes", {})
    return DeadLetter(
        id=raw["MessageId"],
        original_id=_text(given, _MESSAGE_ID) or raw["MessageId"],
        receipt_handle=raw["ReceiptHandle"],
        body=raw["Body"],
        sent_at=int(system.get("SentTimestamp", 0)) / 1000,
        receives=int(system.get("ApproximateReceiveCount", 1)),
        group_id=system.get("MessageGroupId"),
        reason=_text(given, _REASON),
        attributes=_senders(given),
    )


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value: str | None = attributes.get(name, {}).get("StringValue")
    return value


def again(letter: DeadLetter, *, fifo: bool) -> dict[str, Any]:
    """The arguments to send a message again. Standard queues can have message groups too."""
    message: dict[str, Any] = {"MessageBody": letter.body}
    if letter.attributes:
        message["MessageAttributes"] = letter.attributes
    if letter.group_id or fifo:
        message["MessageGroupId"] = letter.group_id or letter.id
    if fifo:
        # With the old id SQS would drop the message as a duplicate.
        message["MessageDeduplicationId"] = uuid.uuid4().hex
    return message
