"""Reading what another version of this program wrote, or a program that is none of it."""

from collections.abc import Collection, Mapping
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

#: Numbers are smaller: as an int64, which SQLite and others hold.
_TOO_LARGE = 2**63


def known(kind: type, told: Mapping[str, Any], *, but: Collection[str] = ()) -> dict[str, Any]:
    """The fields of `kind` that are in a JSON object; the rest is dropped.

    but: fields to leave out. Raises TypeError for a value that is not of its field's type.
    """
    found = {}
    for name, hint in _hints(kind).items():
        if name in told and name not in but:
            if not fits(told[name], hint):
                raise TypeError(f"{kind.__name__}.{name}: not {hint}")
            found[name] = told[name]
    return found


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of the type; an int is a float too, and bool, NaN and infinity are none.

    hint: int, float, str, None, a list or a dict of them, or a union.
    """
    kind, of = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(fits(value, one) for one in of)
    if kind is list:
        return isinstance(value, list) and all(fits(one, of[0]) for one in value)
    if kind is dict:
        return isinstance(value, dict) and all(
            fits(key, of[0]) and fits(one, of[1]) for key, one in value.items()
        )
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return False
        return -_TOO_LARGE < value < _TOO_LARGE
    return isinstance(value, hint)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
