"""The schema says what the parser takes, and the other way round."""

import json
import subprocess
import sys
from typing import Any

import click
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sqsjkr_gevent.cli.send import command as send
from sqsjkr_gevent.errors import InvalidMessage
from sqsjkr_gevent.job import Job
from sqsjkr_gevent.job.body import KEYS
from sqsjkr_gevent.job.schema import KEYS as TABLE
from sqsjkr_gevent.job.schema import MAX_LOCK_ID, schema

VALIDATOR = Draft202012Validator(schema())

WHOLE = st.text("0123456789", min_size=1, max_size=3)
PARTS = st.builds(
    "{}{}{}".format,
    WHOLE | st.sampled_from(["", ".", "1.", "1.5", ".5", "0.0", "1.5.5", "1e3", "9999999999"]),
    st.sampled_from(["", "", "", " "]),
    st.sampled_from(["ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "", "\n"]),
)
DURATIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "+", "-", "--"]),
    st.lists(PARTS, max_size=3).map("".join),
    st.sampled_from(["", "", "\n", "s"]),
)
TEXTS = st.text(max_size=4) | st.text(" \t\n\x1c\x85\u3000\ufeff\0=", max_size=3)
NUMBERS = (
    st.integers()
    | st.integers(-3, 3)
    | st.sampled_from([9223372036, 9223372037, -9223372036, -9223372037, 60.0, -0.0, 1e300])
    | st.floats(allow_nan=False, allow_infinity=False)
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | DURATIONS
ENVIRONMENTS = st.dictionaries(TEXTS, TEXTS | SCALARS, max_size=2)
VALUES = SCALARS | ENVIRONMENTS | st.lists(SCALARS, max_size=1)
#: For each key mostly what it may be, or nearly.
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "command": TEXTS,
    "envs": ENVIRONMENTS,
    "env": ENVIRONMENTS,
    "event_id": TEXTS,
    "life_time": DURATIONS | NUMBERS,
    "lock_id": TEXTS | st.integers(MAX_LOCK_ID - 1, MAX_LOCK_ID + 1).map(lambda n: "x" * n),
    "abort_if_locked": st.booleans(),
    "disable_life_time_trigger": st.booleans(),
    "timeout": DURATIONS | NUMBERS,
    "kill_over_life_time": st.booleans(),
}
OTHERS = st.dictionaries(
    st.text(max_size=3).filter(lambda key: key.lower() not in KEYS), VALUES, max_size=1
)
BODIES = st.builds(
    lambda known, others: {**others, **known},
    st.fixed_dictionaries(
        {"command": st.just("true") | TEXTS | VALUES},
        optional={
            key: st.none() | likely | VALUES for key, likely in LIKELY.items() if key != "command"
        },
    ),
    OTHERS,
)


def cannot_be_said(body: Any, reason: str) -> bool:
    """Whether the parser refuses the body for what no schema can say."""
    name = reason.partition(":")[0]
    value = body.get(name) if isinstance(body, dict) else None
    if name == "lock_id":
        return f"at most {MAX_LOCK_ID} bytes" in reason and not str(value).isascii()
    if isinstance(value, float):
        return name in ("life_time", "timeout") and value.is_integer()
    return "too large" in reason and isinstance(value, str)


def compare(body: Any) -> None:
    """Fails where the schema and the parser are of two minds."""
    text = json.dumps(body)
    valid = VALIDATOR.is_valid(json.loads(text))
    refused = ""
    try:
        Job.check(text)
    except InvalidMessage as error:
        refused = str(error)
    if not (refused and cannot_be_said(body, refused)):
        assert valid == (not refused), refused


@pytest.mark.parametrize("key", LIKELY)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_schema_and_the_parser_take_the_same_values_of_each_key(
    key: str, data: st.DataObject
) -> None:
    """One key at a time, for one that is wrong hides all others."""
    compare({"command": "true", key: data.draw(LIKELY[key])})


@settings(max_examples=600, deadline=None)
@given(BODIES | VALUES)
@example({"command": "true", "lock_id": "\u00e9" * MAX_LOCK_ID})
@example({"command": "true", "lock_id": "x" * (MAX_LOCK_ID + 1)})
@example({"command": "true", "life_time": "1m\n"})
@example({"command": "true", "timeout": "-0.4ns"})
@example({"command": "true", "timeout": "-0"})
@example({"command": "true", "life_time": "2562048h"})
@example({"command": "true", "life_time": 60.0})
@example({"command": "true", "life_time": 1.5})
@example({"command": "true", "envs": None, "env": {}})
@example({"command": "true", "envs": {}, "env": {}})
@example({"command": "true\n"})
@example({"command": None})
def test_the_schema_and_the_parser_take_the_same_bodies(body: Any) -> None:
    """Whoever checks against the schema has no surprise, and no job that would run is refused."""
    compare(body)


def test_the_schema_is_one() -> None:
    """Of the draft that it names."""
    Draft202012Validator.check_schema(schema())
    assert "https://json-schema.org/draft/2020-12/schema" == schema()["$schema"]


def test_its_own_examples_fit() -> None:
    """They are what people copy."""
    for name, key in TABLE.items():
        for one in key.schema.get("examples", []):
            assert VALIDATOR.is_valid({"command": "true", name: one}), (name, one)


def test_the_parser_the_schema_and_send_know_the_same_keys() -> None:
    """A key that is added to the table is a key everywhere."""
    options = {one.name: one for one in send.params if isinstance(one, click.Option)}
    assert KEYS == TABLE.keys() == schema()["properties"].keys()
    assert TABLE.keys() - options.keys() == {"command", "envs"}
    for name, key in TABLE.items():
        if name in options and name != "env":
            assert key.text == options[name].help


@pytest.mark.parametrize("arguments", [["schema"], ["schema", "-c", "no-such-file"]])
def test_it_is_printed_without_a_config(arguments: list[str]) -> None:
    """It is the same for every queue."""
    command = [sys.executable, "-m", "sqsjkr_gevent", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    assert schema() == json.loads(done.stdout)
