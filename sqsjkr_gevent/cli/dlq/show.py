"""`dlq`: the output about a message."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from ...aws.dead_letter import DeadLetter
from ...errors import InvalidMessage
from ...job.body import parse_body
from ..output.show import NONE, safe, when
from ..output.tables import Column

LETTER_COLUMNS = (
    Column("message id"),
    Column("sent"),
    Column("reason", cut=True),
    Column("command", cut=True),
    Column("event", cut=True),
)

#: Characters of a command shown in the list.
MAX_COMMAND = 80


def row(letter: DeadLetter, receives: int | None) -> list[str]:
    """The cells of LETTER_COLUMNS. receives: as in Queues."""
    command = _value(letter, "command") or NONE
    if len(command) > MAX_COMMAND:
        command = f"{command[: MAX_COMMAND - 1]}…"
    event = _value(letter, "event_id") or NONE
    return [letter.id, when(letter.sent_at, brief=True), _reason(letter, receives), command, event]


def as_json(letter: DeadLetter, receives: int | None, *, whole: bool) -> dict[str, Any]:
    """The message as JSON. whole: with attributes and body."""
    shown: dict[str, Any] = {
        "message_id": letter.id,
        "original_id": letter.original_id,
        "sent_at": letter.sent_at,
        "receives": letter.receives,
        "group_id": letter.group_id,
        "reason": _reason(letter, receives),
        "command": _value(letter, "command"),
        "event_id": _value(letter, "event_id"),
    }
    if whole:
        shown["attributes"] = {name: _attribute(one) for name, one in letter.attributes.items()}
        shown["body"] = letter.body
    return shown


def print_letter(letter: DeadLetter, receives: int | None) -> None:
    """Print everything about a message."""
    lines = {
        "message id": letter.id,
        "original id": letter.original_id,
        "sent": when(letter.sent_at),
        "receives": str(letter.receives),
        "group": letter.group_id or NONE,
        "reason": _reason(letter, receives),
    }
    for name, value in lines.items():
        print(f"{name:<12}  {safe(value)}")
    for name, one in letter.attributes.items():
        kind = one.get("DataType", "")
        print(f"{'attribute':<12}  {safe(f'{name} ({kind}): {_attribute(one)}')}")
    print(f"\n{safe(_pretty(letter.body), lines=True)}")


def _reason(letter: DeadLetter, receives: int | None) -> str:
    if letter.reason is not None:
        return letter.reason
    return "unknown" if receives is None else f"SQS moved it after {receives} receives"


def _value(letter: DeadLetter, key: str) -> str | None:
    """The text in the body for a key, if any; other values may be invalid."""
    try:
        value = parse_body(letter.body).get(key)
    except InvalidMessage:
        return None
    return value if isinstance(value, str) and value.strip() else None


def _attribute(one: Mapping[str, Any]) -> str:
    if "BinaryValue" in one:
        return base64.b64encode(one["BinaryValue"]).decode()
    return str(one.get("StringValue", ""))


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
