"""The keys of a message's body, their values and meanings.

The parser takes its keys from this table, `schema` prints it as a JSON Schema, and `send` takes
its help texts from it. The parser checks values with code of its own; tests compare the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..duration import MAX_NS, NANOSECONDS

#: https://json-schema.org/draft/2020-12
DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: Bytes. A lock id is the key of a DynamoDB item, which holds no more.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_LOCK_ID = 2048

#: The largest duration in whole seconds.
_MAX_SECONDS = MAX_NS // NANOSECONDS

# These patterns use only syntax that all languages share (no \uXXXX, \s or look-ahead), so control
# characters appear in them literally.
_BLANK = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_COMMAND = f"^[^\0]*[^\0{_BLANK}][^\0]*$"
_NO_NUL = "^[^\0]*$"
_NAME = "^[^\0=]+$"
_PARTS = "(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)"

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """A key. text: its meaning, a sentence. schema: of its values, except null, which is absent."""

    text: str
    schema: Schema


def _duration(sign: str, minimum: int) -> Schema:
    # In Python, "$" alone would allow a line break at the end.
    texts = {"type": "string", "pattern": f"^{sign}{_PARTS}$", "not": {"pattern": "\n"}}
    return {
        "anyOf": [{"type": "integer", "minimum": minimum, "maximum": _MAX_SECONDS}, texts],
        "examples": [60, "1m30s", "500ms"],
    }


_ENVIRONMENT: Schema = {
    "type": "object",
    "propertyNames": {"pattern": _NAME},
    # As in Go, null is the empty string.
    "additionalProperties": {"type": ["string", "null"], "pattern": _NO_NUL},
}
_TEXT: Schema = {"type": "string", "pattern": _NO_NUL}
_FLAG: Schema = {"type": "boolean"}

KEYS: Mapping[str, Key] = {
    "command": Key(
        "The command to run, for sh -c.",
        {"type": "string", "pattern": _COMMAND, "examples": ["echo hello | wc -c"]},
    ),
    "envs": Key("Variables added to the job's environment.", _ENVIRONMENT),
    "env": Key("The same as envs; use only one of the two.", _ENVIRONMENT),
    "event_id": Key("The job's name in logs and locks; by default, the message id.", _TEXT),
    "life_time": Key(
        "Time after sending within which it must start: seconds, or a Go duration; 0: no limit.",
        _duration("[+-]?", -_MAX_SECONDS),
    ),
    "lock_id": Key(
        f"Only one job with this id runs at a time; at most {MAX_LOCK_ID} bytes of UTF-8.",
        {**_TEXT, "maxLength": MAX_LOCK_ID},
    ),
    "abort_if_locked": Key("Give up if the lock is taken, instead of waiting.", _FLAG),
    "disable_life_time_trigger": Key("Do not run the life_time_trigger for this job.", _FLAG),
    "timeout": Key(
        "How long it may run: seconds, or a Go duration; 0: no limit.", _duration("[+]?", 0)
    ),
    "kill_over_life_time": Key("The life_time limits the run as well.", _FLAG),
}


def schema() -> dict[str, Any]:
    """The JSON Schema of a body whose keys are in lower case.

    The parser rejects three things that a schema cannot express: a duration text beyond an int64
    of nanoseconds (292 years), seconds written as 60.0, an integer in JSON Schema but not in Go,
    and a lock_id with too many bytes but not too many characters.
    """
    properties = {name: {"description": key.text, **key.schema} for name, key in KEYS.items()}
    for name, one in properties.items():
        if name != "command":
            properties[name] = _or_null(one)
    both = {name: {"type": "object"} for name in ("envs", "env")}
    return {
        "$schema": DIALECT,
        "title": "A job of sqsjkr-gevent",
        "description": "The body of a message. Keys that are not listed are ignored.",
        "type": "object",
        "required": ["command"],
        "properties": properties,
        "not": {"required": list(both), "properties": both},
    }


def _or_null(one: Schema) -> dict[str, Any]:
    if "anyOf" in one:
        return {**one, "anyOf": [*one["anyOf"], {"type": "null"}]}
    return {**one, "type": [one["type"], "null"]}
