"""Durations are read and written as Go does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqsjkr_gevent.duration import (
    MAX_NS,
    MIN_NS,
    format_duration,
    format_ns,
    parse_duration,
    parse_ns,
)

ACCEPTED = [
    (60, 60.0),
    (0, 0.0),
    (-5, -5.0),
    ("0", 0.0),
    ("+0", 0.0),
    ("-0", 0.0),
    ("0s", 0.0),
    ("1m", 60.0),
    ("1h30m", 5400.0),
    ("1.5s", 1.5),
    ("1.s", 1.0),
    ("500ms", 0.5),
    (".5m", 30.0),
    ("+1m", 60.0),
    ("-1h", -3600.0),
    ("1h1h", 7200.0),
    ("1ns", 1e-9),
    ("1us", 1e-6),
    ("1\u00b5s", 1e-6),
    ("1\u03bcs", 1e-6),
    ("0000000000000000000000000000001s", 1.0),
    ("0.1234567890123456789012345s", 0.123456789),
    ("9007199254.740993s", 9007199254.740993),
]

REFUSED = [
    ("90", "unit is missing"),
    ("1m30", "unit is missing"),
    ("1d", "unknown unit 'd'"),
    ("1S", "unknown unit 'S'"),
    ("1 m", "unknown unit ' m'"),
    ("1m ", "unknown unit 'm '"),
    ("bogus", "got 'bogus'"),
    ("", "got ''"),
    (" 1m", "got ' 1m'"),
    ("-", "got '-'"),
    ("--1s", "got '--1s'"),
    (".s", "got '.s'"),
    ("1..5s", "unit is missing"),
    ("1e3s", "unknown unit 'e'"),
    ("\u0661s", "got"),
    ("3000000h", "too large"),
    ("1" * 5000 + "s", "too large"),
    ("9223372036854775808ns", "too large"),
    (10**10, "too large"),
    (10**4000, "too large"),
    (1.5, "got 1.5"),
    (1e3, "got 1000.0"),
    (True, "got True"),
    (False, "got False"),
    (None, "got None"),
    ([1], "got [1]"),
    ({}, "got {}"),
]


@pytest.mark.parametrize(("value", "seconds"), ACCEPTED)
def test_a_duration_go_accepts_is_read_as_the_same_seconds(value: object, seconds: float) -> None:
    """All that sqsjkr takes for life_time means the same to us."""
    assert seconds == parse_duration(value)


@pytest.mark.parametrize(("value", "reason"), REFUSED)
def test_a_duration_go_refuses_is_refused_with_the_reason(value: object, reason: str) -> None:
    """The error says what was expected, and what is wrong with the value."""
    with pytest.raises(ValueError, match="expected a whole number of seconds") as caught:
        parse_duration(value)
    assert reason in str(caught.value)


def test_the_ends_of_an_int64_of_nanoseconds_are_the_limits() -> None:
    """The largest and the smallest Go duration are accepted, one nanosecond more is not."""
    assert MAX_NS == parse_ns("9223372036854775807ns")
    assert MIN_NS == parse_ns("-9223372036854775808ns")
    with pytest.raises(ValueError, match="too large"):
        parse_ns("-9223372036854775809ns")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.001, "1ms"),
        (0.0015, "1.5ms"),
        (0.000001, "1\u00b5s"),
        (0.0000015, "1.5\u00b5s"),
        (0.000000001, "1ns"),
        (0.999999999, "999.999999ms"),
        (3, "3s"),
        (1.5, "1.5s"),
        (10, "10s"),
        (60, "1m0s"),
        (61.25, "1m1.25s"),
        (3600, "1h0m0s"),
        (3661, "1h1m1s"),
        (100 * 3600, "100h0m0s"),
        (-3600, "-1h0m0s"),
        (-0.5, "-500ms"),
        (MAX_NS / 1e9, "2562047h47m16.854775807s"),
        (MIN_NS / 1e9, "-2562047h47m16.854775808s"),
    ],
)
def test_seconds_are_printed_as_go_prints_a_duration(seconds: float, text: str) -> None:
    """The trigger's text holds durations in this form."""
    assert text == format_duration(seconds)


@pytest.mark.parametrize("seconds", [1e10, -1e10, float("inf"), float("-inf"), float("nan")])
def test_seconds_that_no_duration_holds_are_not_printed(seconds: float) -> None:
    """More than 292 years is an error, not a wrapped number."""
    with pytest.raises(ValueError, match="out of range for a duration"):
        format_duration(seconds)


@given(st.integers(MIN_NS, MAX_NS))
def test_every_duration_is_read_back_to_the_nanosecond(nanoseconds: int) -> None:
    """What is printed is what is read, over the whole range.

    Go's own reading rounds the fraction in float arithmetic, which is exact for nine digits.
    """
    assert nanoseconds == parse_ns(format_ns(nanoseconds))


@given(st.integers(0, 52 * 24 * 3600 * 10**9))
def test_seconds_up_to_52_days_are_exact_to_the_nanosecond(nanoseconds: int) -> None:
    """A float of seconds loses nothing of a life_time anybody writes."""
    assert format_ns(nanoseconds) == format_duration(parse_duration(format_ns(nanoseconds)))


@given(st.text(alphabet="0123456789.+-hmsnu\u00b5d ", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    """Nothing but ValueError comes out of a wrong text."""
    try:
        reason = f"expected no error, got {parse_duration(text)}"
    except ValueError as error:
        reason = str(error)
    assert reason.startswith("expected")
