"""The keys of a message's body: what each may be, and what it means.

This is the one table: the parser knows its keys by it, `schema` prints it as a JSON Schema, and
`send` takes its help from it. How a value is checked, and in which words it is refused, is the
parser's; the tests compare the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..duration import MAX_NS, NANOSECONDS

#: https://json-schema.org/draft/2020-12
DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: The key of a DynamoDB table holds no more bytes, and a lock is such a key.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_LOCK_ID = 2048

#: Whole seconds of the largest duration.
_MAX_SECONDS = MAX_NS // NANOSECONDS

# What is left out of these is what not every language's patterns know (\uXXXX, \s, look-ahead):
# control characters stand in them as they are.
_BLANK = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_COMMAND = f"^[^\0]*[^\0{_BLANK}][^\0]*$"
_NO_NUL = "^[^\0]*$"
_NAME = "^[^\0=]+$"
_PARTS = "(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)"

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. text: what it means, a sentence. schema: of its values, but for null: absent."""

    text: str
    schema: Schema


def _duration(sign: str, least: int) -> Schema:
    # "$" alone would let a line break pass in Python.
    texts = {"type": "string", "pattern": f"^{sign}{_PARTS}$", "not": {"pattern": "\n"}}
    return {
        "anyOf": [{"type": "integer", "minimum": least, "maximum": _MAX_SECONDS}, texts],
        "examples": [60, "1m30s", "500ms"],
    }


_ENVIRONMENT: Schema = {
    "type": "object",
    "propertyNames": {"pattern": _NAME},
    # null is the empty string, as in Go.
    "additionalProperties": {"type": ["string", "null"], "pattern": _NO_NUL},
}
_TEXT: Schema = {"type": "string", "pattern": _NO_NUL}
_FLAG: Schema = {"type": "boolean"}

KEYS: Mapping[str, Key] = {
    "command": Key(
        "What to run: a line for sh.",
        {"type": "string", "pattern": _COMMAND, "examples": ["echo hello | wc -c"]},
    ),
    "envs": Key("Variables, added to the job's environment.", _ENVIRONMENT),
    "env": Key("The same as envs; only one of the two.", _ENVIRONMENT),
    "event_id": Key("The job's name in logs and locks; without it, the message id.", _TEXT),
    "life_time": Key(
        "How long it may wait to start, from its send: seconds, or a Go duration; 0 is for ever.",
        _duration("[+-]?", -_MAX_SECONDS),
    ),
    "lock_id": Key(
        f"Only one job with this id runs at a time; at most {MAX_LOCK_ID} bytes of UTF-8.",
        {**_TEXT, "maxLength": MAX_LOCK_ID},
    ),
    "abort_if_locked": Key("Give up where the lock is taken, in place of waiting.", _FLAG),
    "disable_life_time_trigger": Key("No trigger for this job.", _FLAG),
    "timeout": Key("How long it may run, as life_time; 0 is for ever.", _duration("[+]?", 0)),
    "kill_over_life_time": Key("Its life_time bounds the run as well.", _FLAG),
}


def schema() -> dict[str, Any]:
    """The JSON Schema of a body whose keys are spelled as above.

    It cannot say all: a text of the right form whose duration no int64 of nanoseconds holds (292
    years), seconds written 60.0, which is an integer to a schema and none to Go, and a lock_id of
    too many bytes, though not too many characters, are refused.
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
