"""Go durations: parsed like time.ParseDuration, formatted like Duration.String.

https://pkg.go.dev/time#ParseDuration
"""

import re
from fractions import Fraction

from .errors import shown

NANOSECONDS = 1_000_000_000

#: A Go Duration is an int64 of nanoseconds: about 292 years.
MAX_NS = 2**63 - 1
MIN_NS = -(2**63)

EXPECTED = 'a whole number of seconds, or a duration such as "1m30s", "1.5s" or "500ms"'

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": NANOSECONDS,
    "m": 60 * NANOSECONDS,
    "h": 3600 * NANOSECONDS,
}

#: A number and its unit. As in Go, the unit is everything up to the next digit or point, so that
#: an error can name an unknown one. [0-9], not \d: Go accepts only ASCII digits.
_PART = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?P<unit>[^0-9.]*)", re.DOTALL)


def parse_ns(value: object) -> int:
    """Convert an int (seconds) or a Go duration string to nanoseconds; raises ValueError."""
    if isinstance(value, str):
        return _parse_text(value)
    # bool is an int in Python, but `life_time: true` is a mistake.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected {EXPECTED}, got {shown(value)}")
    return _require_range(value * NANOSECONDS, value)


def parse_duration(value: object) -> float:
    """Convert an int (seconds) or a Go duration string such as "1h30m" to seconds.

    Raises ValueError, which says what was expected, for everything that Go rejects.
    """
    return parse_ns(value) / NANOSECONDS


def format_ns(nanoseconds: int) -> str:
    """Format nanoseconds as Go prints a Duration: 1ms, 3s, 1m0s, 1h1m1s, -1h0m0s."""
    sign = "-" if nanoseconds < 0 else ""
    rest = abs(nanoseconds)
    if rest == 0:
        return "0s"
    if rest < NANOSECONDS:
        unit = "ms" if rest >= _UNITS["ms"] else "µs" if rest >= _UNITS["us"] else "ns"
        return f"{sign}{_format_decimal(rest, _UNITS[unit])}{unit}"
    minutes, rest = divmod(rest, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_format_decimal(rest, NANOSECONDS)}s"
    if hours:
        text = f"{hours}h{minutes}m{text}"
    elif minutes:
        text = f"{minutes}m{text}"
    return sign + text


def format_duration(seconds: float) -> str:
    """Format seconds as Go prints a Duration; the inverse of parse_duration.

    Exact to the nanosecond up to 52 days, and always for whole seconds: the precision of a float.
    Raises ValueError for what an int64 of nanoseconds cannot hold, including infinity and NaN.
    """
    if not abs(seconds) <= MAX_NS / NANOSECONDS:
        raise ValueError(f"{seconds!r} seconds are out of range for a duration")
    # As a float, the largest duration rounds up to just more than an int64 holds.
    return format_ns(max(MIN_NS, min(MAX_NS, round(Fraction(seconds) * NANOSECONDS))))


def _parse_text(text: str) -> int:
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":  # the only number that needs no unit
        return 0
    if not rest:
        raise _error(text)
    total = 0
    position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None or not (part["whole"] or part["fraction"]):
            raise _error(text)
        total += _part_ns(part, text)
        position = part.end()
    return _require_range(-total if text[0] == "-" else total, text)


def _part_ns(part: re.Match[str], text: str) -> int:
    if not part["unit"]:
        raise _error(text, "the unit is missing")
    unit = _UNITS.get(part["unit"])
    if unit is None:
        raise _error(text, f"unknown unit {shown(part['unit'])}")
    whole = part["whole"].lstrip("0")
    # Checked first: int() rejects thousands of digits with an error of its own.
    if len(whole) > len(str(MAX_NS)):
        raise _error(text, "too large")
    return int(whole or "0") * unit + _fraction_ns(part["fraction"] or "", unit)


def _fraction_ns(digits: str, unit: int) -> int:
    """The fraction, truncated to whole nanoseconds, in float arithmetic like Go's.

    Go ignores digits after about the eighteenth, which cannot matter.
    """
    value, scale = 0, 1.0
    for digit in digits:
        if value > MAX_NS // 10 or value * 10 + int(digit) > MAX_NS + 1:
            break
        value, scale = value * 10 + int(digit), scale * 10
    return int(float(value) * (float(unit) / scale))


def _require_range(nanoseconds: int, value: object) -> int:
    if not MIN_NS <= nanoseconds <= MAX_NS:
        raise _error(value, "too large")
    return nanoseconds


def _error(value: object, reason: str = "") -> ValueError:
    text = f"expected {EXPECTED}, got {shown(value)}"
    return ValueError(f"{text}: {reason}" if reason else text)


def _format_decimal(value: int, unit: int) -> str:
    """Format value / unit exactly, without trailing zeros."""
    whole, rest = divmod(value, unit)
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
