"""JSON of requests and responses: by orjson, and by json where orjson is missing or too strict."""

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

_orjson: ModuleType | None
try:
    import orjson as _orjson
except ImportError:  # It has no wheel for this platform.
    _orjson = None


def encoded(value: Mapping[str, Any]) -> bytes:
    """The value as JSON."""
    if _orjson is not None:
        try:
            data: bytes = _orjson.dumps(value)
        except TypeError:
            pass  # For example half of a surrogate pair, which json escapes.
        else:
            return data
    return json.dumps(value).encode()


def decoded(data: bytes) -> dict[str, Any]:
    """The JSON object. Raises ValueError."""
    try:
        value = json.loads(data) if _orjson is None else _orjson.loads(data)
    except ValueError:
        value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
