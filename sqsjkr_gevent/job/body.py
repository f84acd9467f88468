"""Parses the body of a message, JSON text, and checks its values.

Each check takes a value that is present (not null) and raises InvalidMessage, which names the key
and what was expected. Values of `command` and `envs` are never shown: they can be secrets.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from ..duration import parse_duration
from ..errors import InvalidMessage, shown
from .schema import KEYS as TABLE

KEYS = frozenset(TABLE)


def parse_body(body: str) -> Mapping[str, Any]:
    """Parse the JSON object in a body; null keys count as absent and are left out.

    As in Go's encoding/json, the last value of a repeated key counts, and the case of a known key
    does not matter (`Command`). Raises InvalidMessage.
    """
    try:
        value = _DECODER.decode(body)
    except json.JSONDecodeError as error:
        raise InvalidMessage(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidMessage("the body is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidMessage(f"the body: expected a JSON object, got {_kind(value)}")
    return {_normalized(key): one for key, one in value.items() if one is not None}


def string(key: str, value: object) -> str:
    """Check for a string that processes and stores accept."""
    if not isinstance(value, str):
        raise InvalidMessage(f"{key}: expected a string, got {_kind(value)}")
    if "\0" in value:
        raise InvalidMessage(f"{key}: expected text without NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidMessage(
            f"{key}: expected Unicode text, got half a surrogate pair at character {error.start}"
        ) from None
    return value


def boolean(key: str, value: object) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise InvalidMessage(f"{key}: expected true or false, got {_kind(value)}")
    return value


def seconds(key: str, value: object) -> float:
    """Convert an integer or a Go duration string to seconds."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidMessage(f"{key}: {error}") from None


def environment(body: Mapping[str, Any]) -> dict[str, str]:
    """The variables in `envs` or `env`: sqsjkr reads `envs`, its README documents `env`.

    A null value is the empty string, as in Go's encoding/json.
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
                f"{key}: expected names that are not empty and have no =, got {shown(name)}"
            )
    return {
        string(f"a name in {key}", name): string(
            f"{key}.{shown(name)[1:-1]}", "" if one is None else one
        )
        for name, one in value.items()
    }


def _normalized(key: str) -> str:
    lower = key.lower()
    return lower if lower in KEYS else key


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidMessage(f"the body is not JSON: {name} is not a JSON number")


def _parse_int(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # thousands of digits: valid JSON, but too many for int()
        return float(digits)


#: Made once: json.loads would make one for each body.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_parse_int)


def _kind(value: object) -> str:
    """The JSON type of the value. Not its text: that can be a secret."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return "a number"
