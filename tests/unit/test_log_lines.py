"""An event with its fields becomes a line of text or of JSON, whatever the values are."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sqsjkr_gevent.log import as_json, as_text
from sqsjkr_gevent.log.timestamp import timestamp

#: 2026-11-28T10:50:29.000123Z in nanoseconds since the epoch.
AT = 1795863029_000123456
TIME = "2026-11-28T10:50:29.000123Z"

#: The encoders of values, as the import of orjson goes.
ENCODERS = {"json": as_json.with_json, "orjson": as_json.with_orjson}


class Rude:
    """Its repr would end the line and change the terminal's colours."""

    def __repr__(self) -> str:
        return "<rude \x1b[31m\nx>"


class Broken:
    """Nothing shows it."""

    def __repr__(self) -> str:
        raise ValueError("no")


def nested() -> list[Any]:
    """A list that contains itself."""
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lines of JSON are made with this module."""
    if request.param == "orjson":
        pytest.importorskip("orjson")
    monkeypatch.setattr(as_json, "_encode", ENCODERS[request.param]())
    return str(request.param)


def text(event: str = "e", **fields: Any) -> str:
    """The line after its time and level."""
    return as_text.render(AT, "info", event, fields, None).partition("] ")[2]


def caught(call: Callable[[], object]) -> Exception:
    """What it raises."""
    try:
        call()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (AT, TIME),
        (AT + 999_876_543, "2026-11-28T10:50:29.999999Z"),
        (AT + 999_876_544, "2026-11-28T10:50:30.000000Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
    ],
)
def test_a_timestamp_is_utc_to_the_microsecond(at, expected):
    """All of one length, so that lines sort as texts."""
    assert expected == timestamp(at)


def test_a_clock_that_is_set_back_is_followed():
    """The text of the second is kept, but only for that second."""
    times = [AT, AT + 10**9, AT]
    assert [TIME, TIME.replace(":29.", ":30."), TIME] == [timestamp(at) for at in times]


@pytest.mark.parametrize(
    ("level", "expected"),
    [("info", "[info     ]"), ("warning", "[warning  ]"), ("error", "[error    ]")],
)
def test_a_line_of_text_has_the_time_the_level_the_event_and_the_fields(level, expected):
    """In the order in which the code gives them; the levels in a column."""
    line = as_text.render(AT, level, "job started", {"pid": 7, "job_id": "m-1"}, None)
    assert f"{TIME} {expected} job started pid=7 job_id=m-1" == line


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nightly", "nightly"),
        ("", ""),
        ("\u3042", "\u3042"),
        ("back\\slash", "back\\slash"),
        ("echo hi", "'echo hi'"),
        ("a=b", "'a=b'"),
        ('"', "'\"'"),
        ("it's", '"it\'s"'),
        ("a\tb\r\n", r"'a\tb\r\n'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("\x9b31m", r"'\x9b31m'"),
        ("\x7f", r"'\x7f'"),
        ("\u202e", r"'\u202e'"),
        ("\u2028", r"'\u2028'"),
        ("\udc80", r"'\udc80'"),
        (7, "7"),
        (1.5, "1.5"),
        (True, "True"),
        (None, "None"),
        (b"\xff", r"b'\xff'"),
        ([1, "x y"], "[1, 'x y']"),
        ({"a": "\x1b"}, r"{'a': '\x1b'}"),
        (Rude(), r"<rude \x1b[31m\nx>"),
        (Broken(), "<Broken that cannot be shown>"),
        (nested(), "[[...]]"),
    ],
)
def test_a_value_is_quoted_where_a_reader_could_take_it_for_more(value, expected):
    """A space, a quote, an `=`; and nothing that a job prints can control the terminal."""
    assert f"e a={expected} b=1" == text(a=value, b=1)


@given(st.text(st.characters(exclude_categories=())), st.text())
@example("\x1b]0;title\x07", "\x9b")
def test_no_control_character_comes_through(value, event):
    """Whatever a sender writes: one event is one line, which shows what it is."""
    line = text("e", a=value, b=[value])
    assert line.isprintable()
    assert 1 == len(line.splitlines())
    assert text(event).replace("\n", "").replace("\t", "").isprintable()


def test_a_traceback_follows_its_line_without_control_characters():
    """Plain, and the message of an exception may come from anywhere."""

    def fail() -> None:
        raise ValueError("\x1b[31m\u3042")

    line = as_text.render(AT, "error", "e", {"a": 1}, caught(fail))
    first, second, *_, last = line.splitlines()
    assert f"{TIME} [error    ] e a=1" == first
    assert "Traceback (most recent call last):" == second
    assert "ValueError: \\x1b[31m\u3042" == last


def test_an_exception_that_cannot_be_shown_still_has_its_line():
    """What is wrong with an exception must not hide that there was one."""

    class Strange(Exception):
        __module__ = 3

        @property
        def __traceback__(self) -> Any:
            raise OSError

    for render in (as_text.render, as_json.render):
        assert "Strange" in render(AT, "error", "e", {}, Strange())


def test_colours_are_only_around_the_parts_of_the_line():
    """A terminal shows the same line; values that contain escapes stay quoted."""
    error = caught(lambda: 1 / 0)
    arguments: Any = (AT, "info", "job started", {"a": "\x1b[0m", "b": "x y"}, error)
    line = as_text.render_coloured(*arguments)
    for code in ("0", "1", "2", "31", "32", "33", "35", "36"):
        line = line.replace(f"\x1b[{code}m", "")
    assert as_text.render(*arguments) == line


@pytest.mark.parametrize(("level", "code"), [("info", 32), ("warning", 33), ("error", 31)])
def test_the_colour_says_how_severe_it_is(level, code):
    """Red is what an operator looks for."""
    assert f"\x1b[{code}m" in as_text.render_coloured(AT, level, "e", {}, None)


def test_a_line_of_json_has_the_fields_first_then_the_event(encoder):
    """In the same bytes with both encoders, but for lists: some users search them by grep."""
    fields = {"command": "echo 'hi' \"\n\u3042", "pid": 7, "seconds": 0.25, "list": ["a", 1, None]}
    line = as_json.render(AT, "info", "job started", fields, None)
    expected = (
        r'{"command": "echo ' + r"'hi' \"\n" + '\u3042", "pid": 7, "seconds": 0.25, "list": %s, '
        f'"event": "job started", "level": "info", "timestamp": "{TIME}"}}'
    )
    given = {"json": '["a", 1, null]', "orjson": '["a",1,null]'}
    assert expected % given[encoder] == line
    assert [*fields, "event", "level", "timestamp"] == list(json.loads(line))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1 << 70, 1 << 70),
        ("\x1b", "\x1b"),
        ("\udc80", "\udc80"),
        (["\u3042\udc80"], ["\u3042\udc80"]),
        (b"\xff", r"b'\xff'"),
        (("a", 1), ["a", 1]),
        ({1: 2}, {"1": 2}),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (Rude(), "<rude \x1b[31m\nx>"),
        (Broken(), "<Broken that cannot be shown>"),
        ([Broken()], ["<Broken that cannot be shown>"]),
        (nested(), "[[...]]"),
    ],
)
def test_every_value_becomes_json(encoder, value, expected):
    """Text that is no Unicode, numbers of any size, objects: a line is never lost for a value."""
    line = as_json.render(AT, "info", "e", {"a": value, "b": 1}, None)
    assert {
        "a": expected,
        "b": 1,
        "event": "e",
        "level": "info",
        "timestamp": TIME,
    } == json.loads(line.encode("utf-8", "backslashreplace"))


def test_a_number_that_json_does_not_have_is_no_error(encoder):
    """The line stays JSON for a strict reader."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = as_json.render(AT, "info", "e", {"a": float("nan"), "b": [float("inf")]}, None)
    assert "e" == json.loads(line, parse_constant=refuse)["event"]


def test_an_object_shows_what_its_repr_shows(encoder):
    """A field that a dataclass keeps out of its repr is a secret."""
    from dataclasses import dataclass, field

    @dataclass
    class Account:
        name: str
        token: str = field(repr=False)

    line = as_json.render(AT, "info", "e", {"a": Account("n", "s3cret")}, None)
    assert "Account(name='n')" in line
    assert "s3cret" not in line


def test_the_traceback_is_a_key_of_the_json(encoder):
    """With its line breaks, as one text."""
    line = as_json.render(AT, "error", "e", {}, caught(lambda: 1 / 0))
    found = json.loads(line)
    assert ["event", "level", "timestamp", "exception"] == list(found)
    assert found["exception"].startswith("Traceback (most recent call last):\n")
    assert found["exception"].endswith("\nZeroDivisionError: division by zero")


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
            st.lists,
        ),
    )
)
def test_any_fields_are_read_back_as_they_were(fields):
    """Over whichever encoder is installed."""
    line = as_json.render(AT, "info", "e", fields, None)
    finite = "inf" not in str(fields)
    read = json.loads(line.encode("utf-8", "backslashreplace"))
    if finite:
        assert fields == {name: read[name] for name in fields}
    assert 1 == len(line.splitlines()) or "\n" not in line


def test_without_orjson_lines_are_made_by_the_standard_library():
    """It only makes them faster."""
    program = (
        "import sys; sys.modules['orjson'] = None\n"
        "from sqsjkr_gevent.log import as_json\n"
        "print(as_json.render(0, 'info', 'e', {'a': 'x'}, None))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {"a": "x", "event": "e"}.items() <= json.loads(done.stdout).items()
