"""What a value of the config may be: each check takes a value and gives the parsed one.

A check raises ValueError with a text that begins with "expected". Its `expected` is what the
documentation says of the key.
"""

import difflib
import re
import reprlib
from collections.abc import Callable, Iterable
from typing import Any

from ..duration import format_duration, parse_duration

Check = Callable[[object], Any]


def wrong(expected: str, value: object) -> ValueError:
    """The error for a value that is not what was expected."""
    return ValueError(f"expected {expected}, got {reprlib.repr(value)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or all that is known where nothing is near."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}"


def text(value: object) -> str:
    """A string that is not blank, and that a program can be given (no NUL, valid Unicode)."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise wrong("text that is not blank", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong("text in UTF-8", value) from None
    return value


def optional(check: Check) -> Check:
    """The same, and None for an empty string, as sqsjkr takes `profile = ""`."""
    return lambda value: None if value == "" else check(value)


def matching(pattern: str, expected: str) -> Check:
    """Text of which all matches the pattern."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise wrong(expected, value)
        return value

    return check


def choice(*names: str, any_case: bool = False) -> Check:
    """One of the names. any_case: in capitals as well, which the value then lacks."""

    def check(value: object) -> str:
        given = value.lower() if any_case and isinstance(value, str) else value
        if not isinstance(given, str) or given not in names:
            near = nearest(given, names) if isinstance(given, str) else ""
            raise ValueError(f"{wrong('one of ' + ', '.join(names), value)}{near}")
        return given

    return check


def boolean(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def integer(low: int, high: int | None = None) -> Check:
    """A whole number from low to high, both included."""
    expected = f"a whole number of at least {low}" if high is None else f"{low} to {high}"

    def check(value: object) -> int:
        # bool is an int to Python, not to TOML.
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(expected, value)
        if value < low or (high is not None and value > high):
            raise wrong(expected, value)
        return value

    return check


def zero_as(default: int, check: Check) -> Check:
    """The same, and the default for a 0, which is how sqsjkr's users leave a number out."""

    def check_or_default(value: object) -> Any:
        is_zero = isinstance(value, int) and not isinstance(value, bool) and value == 0
        return default if is_zero else check(value)

    return check_or_default


def duration(
    low: float = 0, high: float | None = None, *, above: bool = False, whole: bool = False
) -> Check:
    """Seconds from low to high; above: more than low; whole: no fraction (SQS takes none)."""
    least = format_duration(low)
    limits = f"more than {least}" if above else f"at least {least}"
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
