"""The body of a message: JSON text to checked values, one key at a time.

Each check takes a value that is there (not null) and raises InvalidMessage, which names the
key and what was expected. Values of `command` and `envs` are never shown: they can be secrets.
"""

import json
import reprlib
from collections.abc import Mapping
from typing import Any, NoReturn

from ..duration import parse_duration
from ..errors import InvalidMessage
from .schema import KEYS as TABLE

KEYS = frozenset(TABLE)


def parse_body(body: str) -> Mapping[str, Any]:
    """The JSON object in a body, without the keys that are null, for null means absent.

    A key written twice has its last value, and one that is written in other letters (`Command`)
    is the same key, both as Go's encoding/json has it. Raises InvalidMessage.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_int=_parse_int)
    except json.JSONDecodeError as error:
        raise InvalidMessage(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidMessage("the body is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidMessage(f"the body: expected a JSON object, got {_kind(value)}")
    return {_known(key): one for key, one in value.items() if one is not None}


def string(key: str, value: object) -> str:
    """A string that a process and a store can be given."""
    if not isinstance(value, str):
        raise InvalidMessage(f"{key}: expected a string, got {_kind(value)}")
    if "\0" in value:
        raise InvalidMessage(f"{key}: expected text without NUL characters: none can be executed")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidMessage(
            f"{key}: expected Unicode text, got half a surrogate pair at character {error.start}"
        ) from None
    return value


def boolean(key: str, value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise InvalidMessage(f"{key}: expected true or false, got {_kind(value)}")
    return value


def seconds(key: str, value: object) -> float:
    """Seconds of an integer or a Go duration string."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidMessage(f"{key}: {error}") from None


def environment(body: Mapping[str, Any]) -> dict[str, str]:
    """What `envs` or `env` gives: sqsjkr reads the first, its README names the second.

    A value that is null is the empty string, as Go's encoding/json has it.
    """
    if "envs" in body and "env" in body:
        raise InvalidMessage("envs and env: expected one of them, got both")
    key = "envs" if "envs" in body else "env"
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise InvalidMessage(f"{key}: expected an object of strings, got {_kind(value)}")
    for name in value:
        if not name or "=" in name:
            raise InvalidMessage(
                f"{key}: expected names that are not empty and without =, got {reprlib.repr(name)}"
            )
    return {
        string(f"a name in {key}", name): string(
            f"{key}.{reprlib.repr(name)[1:-1]}", "" if one is None else one
        )
        for name, one in value.items()
    }


def _known(key: str) -> str:
    lower = key.lower()
    return lower if lower in KEYS else key


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidMessage(f"the body is not JSON: {name} is no JSON number")


def _parse_int(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # thousands of digits; Python refuses them, JSON does not
        return float(digits)


def _kind(value: object) -> str:
    """What JSON calls the value. Not its text: that can be a secret."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"the number {reprlib.repr(value)}"
