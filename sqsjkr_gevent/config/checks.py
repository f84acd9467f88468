"""Checks of config values: each takes a value and returns the parsed one.

A check raises ValueError with a text that begins with "expected".
"""

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..duration import format_duration, parse_duration
from ..errors import shown

Check = Callable[[object], Any]


def wrong(expected: str, value: object) -> ValueError:
    """The error for an unexpected value."""
    return ValueError(f"expected {expected}, got {shown(value)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or a list of all known names if none is close."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(names)}"


def text(value: object) -> str:
    """A string that is not blank and can be passed to a program (no NUL, valid Unicode)."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise wrong("text that is not blank", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong("text in UTF-8", value) from None
    return value


def optional(check: Check) -> Check:
    """The same check, but an empty string gives None, as in sqsjkr for `profile = ""`."""
    return lambda value: None if value == "" else check(value)


def matching(pattern: str, expected: str) -> Check:
    """Text that matches the whole pattern."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise wrong(expected, value)
        return value

    return check


def choice(*names: str, any_case: bool = False) -> Check:
    """One of the names. any_case: in upper case as well; the value is then in lower case."""

    def check(value: object) -> str:
        given = value.lower() if any_case and isinstance(value, str) else value
        if not isinstance(given, str) or given not in names:
            near = nearest(given, names) if isinstance(given, str) else ""
            raise ValueError(f"{wrong('one of ' + ', '.join(names), value)}{near}")
        return given

    return check


def boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def integer(low: int, high: int | None = None) -> Check:
    """A whole number from low to high, inclusive."""
    expected = f"a whole number of at least {low}" if high is None else f"{low} to {high}"

    def check(value: object) -> int:
        # bool is an int in Python, but not in TOML.
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(expected, value)
        if value < low or (high is not None and value > high):
            raise wrong(expected, value)
        return value

    return check


def zero_as(default: int, check: Check) -> Check:
    """The same check, but 0 gives the default: in sqsjkr, 0 means "not set"."""

    def check_or_default(value: object) -> Any:
        is_zero = isinstance(value, int) and not isinstance(value, bool) and value == 0
        return default if is_zero else check(value)

    return check_or_default


def duration(
    low: float = 0, high: float | None = None, *, above: bool = False, whole: bool = False
) -> Check:
    """Seconds from low to high. above: more than low. whole: no fraction, which SQS rejects."""
    minimum = format_duration(low)
    limits = f"more than {minimum}" if above else f"at least {minimum}"
    if high is not None:
        limits += f" and at most {format_duration(high)}"

    def check(value: object) -> float:
        seconds = parse_duration(value)
        if seconds < low or (above and seconds == low) or (high is not None and seconds > high):
            raise wrong(limits, value)
        if whole and seconds % 1:
            raise wrong("whole seconds", value)
        return seconds

    return check
