"""A log line as JSON: an object with the fields, then `event`, `level` and `timestamp`.

One with a traceback also has `exception`. Names of fields are constants of the code.
"""

import json
from collections.abc import Callable, Mapping

from .shown import shown, trace
from .timestamp import timestamp

Encode = Callable[[object], str]


def with_json() -> Encode:
    """Encodes a value with the standard library. What it encodes may raise."""
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=shown).encode


def with_orjson() -> Encode:
    """Encodes a value with orjson, which is faster. Raises ImportError."""
    import orjson  # noqa: PLC0415  (a line means the same without it)

    dumps = orjson.dumps
    # Objects are shown by their repr, which can leave out a secret.
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

    def encode(value: object) -> str:
        encoded: bytes = dumps(value, shown, options)
        return encoded.decode()

    return encode


def _fastest() -> Encode:
    try:
        return with_orjson()
    except ImportError:
        return with_json()


_encode = _fastest()
_encode_ascii = json.JSONEncoder(allow_nan=False, default=shown).encode


def render(
    at: int, level: str, event: str, fields: Mapping[str, object], error: BaseException | None
) -> str:
    """The line. at: nanoseconds since the epoch."""
    try:
        pairs = [f'"{name}": {_encode(value)}' for name, value in fields.items()]
    except Exception:  # noqa: BLE001
        pairs = [f'"{name}": {_encode_any(value)}' for name, value in fields.items()]
    pairs.append(
        f'"event": {_encode_any(event)}, "level": "{level}", "timestamp": "{timestamp(at)}"'
    )
    if error is not None:
        pairs.append(f'"exception": {_encode_any(trace(error))}')
    return f"{{{', '.join(pairs)}}}"


def _encode_any(value: object) -> str:
    """Never raises: orjson refuses surrogates and large integers, and both refuse odd keys."""
    for encode in (_encode, _encode_ascii):
        try:
            return encode(value)
        except Exception:  # noqa: BLE001, S112
            continue
    return _encode_ascii(shown(value))
