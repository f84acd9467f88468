"""A message's body becomes a job, or an invalid message that says why."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captured import captured
from sqsjkr_gevent.errors import InvalidMessage
from sqsjkr_gevent.job import Job
from sqsjkr_gevent.job.body import KEYS
from sqsjkr_gevent.message import Message


def message(body: object) -> Message:
    """A message with a body; what is not text becomes JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Message(
        id="m-1", body=text, receipt_handle="r", sent_at=1000.5, receive_count=3, group_id="g"
    )


def job(**keys: Any) -> Job:
    """The job of a body with these keys and a command."""
    return Job.from_message(message({"command": "true", **keys}))


#: key, value, field of the job, its value
GOOD: list[tuple[str, object, str, object]] = [
    ("command", "echo 'hi' | cat", "command", "echo 'hi' | cat"),
    ("command", " true\n", "command", " true\n"),
    ("envs", {"A": "1", "b c": ""}, "env", {"A": "1", "b c": ""}),
    ("env", {"A": "\u3042="}, "env", {"A": "\u3042="}),
    ("envs", {}, "env", {}),
    ("envs", None, "env", {}),
    ("envs", {"A": None, "B": "b"}, "env", {"A": "", "B": "b"}),
    ("event_id", "nightly", "event_id", "nightly"),
    ("event_id", "", "event_id", "m-1"),
    ("event_id", None, "event_id", "m-1"),
    ("life_time", 60, "life_time", 60.0),
    ("life_time", "1h30m", "life_time", 5400.0),
    ("life_time", "500ms", "life_time", 0.5),
    ("life_time", 0, "life_time", None),
    ("life_time", "0", "life_time", None),
    ("life_time", "0s", "life_time", None),
    ("life_time", None, "life_time", None),
    ("life_time", -1, "life_time", -1.0),
    ("life_time", "-1h", "life_time", -3600.0),
    ("lock_id", "db", "lock_id", "db"),
    ("lock_id", "", "lock_id", None),
    ("lock_id", None, "lock_id", None),
    ("lock_id", "x" * 2048, "lock_id", "x" * 2048),
    ("abort_if_locked", True, "abort_if_locked", True),
    ("abort_if_locked", None, "abort_if_locked", False),
    ("disable_life_time_trigger", True, "life_time_trigger_enabled", False),
    ("disable_life_time_trigger", False, "life_time_trigger_enabled", True),
    ("disable_life_time_trigger", None, "life_time_trigger_enabled", True),
    ("timeout", 90, "timeout", 90.0),
    ("timeout", "1.5s", "timeout", 1.5),
    ("timeout", 0, "timeout", None),
    ("kill_over_life_time", True, "kill_over_life_time", True),
    ("kill_over_life_time", None, "kill_over_life_time", False),
    ("Command", "echo last", "command", "echo last"),
    ("Lock_ID", "db", "lock_id", "db"),
]

#: key, wrong value, what the error says besides the key
BAD: list[tuple[str, object, str]] = [
    ("command", None, "expected a command"),
    ("command", "", "expected a command"),
    ("command", " \t\n", "expected a command"),
    ("command", 5, "expected a string, got a number"),
    ("command", 1, "got a number"),
    ("command", ["ls"], "expected a string, got a list"),
    ("command", "echo \0", "NUL"),
    ("command", "echo \ud800", "surrogate"),
    ("envs", [], "expected an object of strings, got a list"),
    ("envs", "A=1", "expected an object of strings, got a string"),
    ("envs", {"A": 1}, "envs.A: expected a string, got a number"),
    ("envs", {"A": True}, "envs.A: expected a string, got true"),
    ("env", {"A": {}}, "env.A: expected a string, got an object"),
    ("envs", {"": "x"}, "not empty"),
    ("envs", {"A=B": "x"}, "have no ="),
    ("envs", {"A\0": "x"}, "NUL"),
    ("envs", {"A": "\0"}, "envs.A: expected text without NUL"),
    ("envs", {"A": "\udc80"}, "surrogate"),
    ("event_id", 5, "expected a string"),
    ("event_id", "\0", "NUL"),
    ("life_time", "90", "the unit is missing"),
    ("life_time", "1d", "unknown unit 'd'"),
    ("life_time", "bogus", "expected a whole number of seconds"),
    ("life_time", "", "expected a whole number of seconds"),
    ("life_time", " 1m", "expected a whole number of seconds"),
    ("life_time", 1.5, "expected a whole number of seconds"),
    ("life_time", True, "expected a whole number of seconds"),
    ("life_time", [], "expected a whole number of seconds"),
    ("life_time", 10**4000, "too large"),
    ("lock_id", 1, "expected a string"),
    ("lock_id", "\ud800", "surrogate"),
    ("lock_id", "\u3042" * 683, "at most 2048 bytes"),
    ("abort_if_locked", "true", "expected true or false, got a string"),
    ("abort_if_locked", 1, "expected true or false, got a number"),
    ("disable_life_time_trigger", 0, "expected true or false"),
    ("timeout", "90", "the unit is missing"),
    ("timeout", -1, "expected 0 (none) or more"),
    ("kill_over_life_time", "no", "expected true or false"),
]


@pytest.mark.parametrize(("key", "value", "field", "expected"), GOOD)
def test_a_key_that_fits_becomes_a_field_of_the_job(
    key: str, value: object, field: str, expected: object
) -> None:
    """Each key, in each form it may have."""
    assert expected == getattr(job(**{key: value}), field)


@pytest.mark.parametrize(("key", "value", "reason"), BAD)
def test_a_key_that_does_not_fit_is_an_invalid_message_that_names_it(
    key: str, value: object, reason: str
) -> None:
    """The sender can see from the error alone what to change."""
    with pytest.raises(InvalidMessage) as caught:
        job(**{key: value})
    assert key in str(caught.value)
    assert reason in str(caught.value)


def test_the_tables_above_have_every_key_in_them() -> None:
    """A new key needs a row of its own, good and bad."""
    assert {key for key, *_ in GOOD if key in KEYS} == set(KEYS)
    assert {key for key, *_ in BAD} == set(KEYS)


def test_a_body_with_only_a_command_gets_every_default() -> None:
    """What is not asked for is not done."""
    expected = Job(
        id="m-1",
        command="true",
        env={},
        event_id="m-1",
        life_time=None,
        lock_id=None,
        abort_if_locked=False,
        life_time_trigger_enabled=True,
        timeout=None,
        kill_over_life_time=False,
        sent_at=1000.5,
        receive_count=3,
        group_id="g",
    )
    assert expected == job()


def test_a_job_takes_the_defaults_of_the_config_where_it_says_nothing() -> None:
    """[kicker] timeout and kill_over_life_time are for the jobs without their own."""
    made = Job.from_message(message({"command": "true"}), kill_over_life_time=True, timeout=30)
    assert (True, 30) == (made.kill_over_life_time, made.timeout)


@pytest.mark.parametrize(("timeout", "expected"), [(0, None), ("5s", 5.0), (None, 30)])
def test_a_job_s_own_values_win_over_the_config(timeout: object, expected: object) -> None:
    """Zero is a value of its own: no timeout. null is no value."""
    body = {"command": "true", "timeout": timeout, "kill_over_life_time": False}
    made = Job.from_message(message(body), kill_over_life_time=True, timeout=30)
    assert (False, expected) == (made.kill_over_life_time, made.timeout)


@pytest.mark.parametrize(
    ("life_time", "expected"), [("1m", 1060.5), (0, None), (-1, 999.5), ("1ms", 1000.501)]
)
def test_the_life_time_counts_from_the_time_the_message_was_sent(
    life_time: object, expected: float | None
) -> None:
    """However long the message was in the queue."""
    assert expected == job(life_time=life_time).expires_at


def test_envs_and_env_together_are_invalid() -> None:
    """Nobody could say which of them was meant."""
    with pytest.raises(InvalidMessage, match="envs and env: expected one of them"):
        job(envs={"A": "1"}, env={"A": "1"})


def test_env_counts_where_envs_is_null() -> None:
    """null is absent, so there is only one of them."""
    assert {"A": "1"} == job(envs=None, env={"A": "1"}).env


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "line 1 column 1"),
        ("echo hi", "line 1 column 1"),
        ('{"command": "true",}', "line 1 column"),
        ('{"command":\n "true"', "line 2 column 8"),
        ('{"command": "true"} x', "line 1 column 21"),
        ("{'command': 'true'}", "line 1 column 2"),
        ('\ufeff{"command": "true"}', "not JSON"),
        ('{"command": "a\nb"}', "not JSON"),
        ('{"command": "true", "x": NaN}', "NaN"),
        ('{"command": "true", "x": -Infinity}', "-Infinity"),
        ("[" * 100_000, "nested too deeply"),
        ('{"command": "true", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ("[]", "expected a JSON object, got a list"),
        ('"true"', "expected a JSON object, got a string"),
        ("null", "expected a JSON object, got null"),
        ("1", "expected a JSON object, got a number"),
        ("true", "expected a JSON object, got true"),
        ("{}", "command: expected a command"),
    ],
)
def test_a_body_that_is_no_json_object_is_an_invalid_message(body: str, reason: str) -> None:
    """JSON errors have their position."""
    with pytest.raises(InvalidMessage) as caught:
        Job.from_message(message(body))
    assert reason in str(caught.value)


def test_the_last_of_two_equal_keys_counts() -> None:
    """As in Go, for the same message must do the same here."""
    assert "b" == Job.from_message(message('{"command": "a", "command": "b"}')).command


def test_numbers_of_any_length_do_no_harm_in_a_key_nobody_reads() -> None:
    """Python refuses to read more than 4300 digits; JSON has no limit."""
    body = '{"command": "true", "x": ' + "1" * 10_000 + ', "y": 1e999999}'
    assert "true" == Job.from_message(message(body)).command


def test_a_life_time_of_thousands_of_digits_is_an_invalid_message() -> None:
    """The same number in a key that is read."""
    with pytest.raises(InvalidMessage, match="life_time"):
        Job.from_message(message('{"command": "true", "life_time": ' + "1" * 10_000 + "}"))


def test_unknown_keys_are_ignored_and_their_names_are_logged() -> None:
    """Names only: what is in them can be a secret."""
    with captured() as logged:
        job(secret_key="s3cret", zeta=1)
    assert [
        {
            "event": "unknown keys in a message",
            "level": "debug",
            "message_id": "m-1",
            "keys": ["secret_key", "zeta"],
        }
    ] == logged


@pytest.mark.parametrize("body", [{"command": "\0s3cret"}, {"envs": {"A": "\0s3cret"}}])
def test_errors_do_not_show_commands_and_environments(body: dict[str, object]) -> None:
    """An error goes into logs and into the dead-letter queue, a password must not."""
    with pytest.raises(InvalidMessage) as caught:
        job(**body)
    assert "s3cret" not in str(caught.value)


def test_check_gives_the_unknown_keys_of_a_body_that_fits() -> None:
    """`send` can ask about a slip of the pen before it sends."""
    assert ("comand", "locks") == Job.check('{"command": "a", "locks": 1, "comand": "b"}')


def test_check_refuses_what_a_kicker_would_refuse() -> None:
    """A body that is sent is a body that can be run."""
    with pytest.raises(InvalidMessage, match="life_time"):
        Job.check('{"command": "a", "life_time": "90"}')


def test_a_job_cannot_be_changed() -> None:
    """It is shared by all that watch over it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        job().command = "false"  # type: ignore[misc]


def test_jobs_can_be_kept_in_sets() -> None:
    """Their environment does not make them unhashable."""
    assert 1 == len({job(envs={"A": "1"}), job(envs={"A": "1"})})


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["1m", "90", "\0", "\ud800", " "]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(sorted(KEYS)), inner, max_size=4)
    ),
    max_leaves=8,
)
NEAR_VALID = st.fixed_dictionaries(
    {"command": st.just("true") | ANY_JSON}, optional=dict.fromkeys(KEYS - {"command"}, ANY_JSON)
)
BODIES = st.one_of(
    st.text(st.characters()),
    ANY_JSON.map(json.dumps),
    NEAR_VALID.map(json.dumps),
    NEAR_VALID.map(json.dumps).flatmap(
        lambda body: st.integers(0, len(body)).map(lambda end: body[:end])
    ),
)


@settings(max_examples=600, deadline=None)
@given(BODIES)
def test_any_body_is_a_job_or_an_invalid_message(body: str) -> None:
    """Nothing a sender writes can raise anything else, or give a job that cannot be executed."""
    try:
        made = Job.from_message(message(body))
    except InvalidMessage:
        return
    for text in (made.command, made.event_id, *made.env, *made.env.values()):
        assert b"\0" not in text.encode()


@pytest.mark.parametrize("body", ['{"command": 4711}', '{"command": "x", "envs": {"PIN": 4711}}'])
def test_a_number_in_the_wrong_place_is_not_shown_either(body: str) -> None:
    """A PIN is as secret as a password."""
    with pytest.raises(InvalidMessage) as error:
        Job.check(body)
    assert "4711" not in str(error.value)
