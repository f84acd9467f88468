"""The config: every key, every default, every error."""

import dataclasses
import importlib.resources
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given, settings
from hypothesis import strategies as st

from sqsjkr_gevent.config import Config
from sqsjkr_gevent.config.keywords import Keywords
from sqsjkr_gevent.config.names import CHECKS, KEYWORDS, SECTIONS
from sqsjkr_gevent.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
BASE = {
    "sqs": {"queue_name": "jobs"},
    "account": {"id": "123456789012", "region": "ap-northeast-1"},
}
SQSJKR = """
[account]
id = "{{ must_env `ACCOUNT` }}"
profile = "{{ env "AWS_PROFILE" "default" }}"
region = "{{ env "AWS_REGION" "ap-northeast-1" }}"

[sqs]
queue_name = "sqsjkr_queue"

[kicker]
max_concurrent_num = 5
life_time_trigger = "echo 'stdin!' | ./test/trigger_test.sh"
stats_port = {{ env "STATS_PORT" "8061" }}
"""
REQUIRED = object()
RETENTION_14_DAYS = 14 * 24 * 3600.0

#: section, key, default, good value in TOML, its parsed value, bad values in TOML
TABLE: list[tuple[str, str, object, str, object, list[str]]] = [
    ("account", "id", REQUIRED, '"000000000000"', "000000000000", ["5", "true", '"1 2"']),
    ("account", "id", REQUIRED, "123456789012", "123456789012", ["12345678901", "1234567890123"]),
    ("account", "id", REQUIRED, '"12345678"', "12345678", ["-12345678901"]),
    ("account", "region", REQUIRED, '"us-gov-west-1"', "us-gov-west-1", ['"a b"', "1", '"a.b"']),
    ("account", "profile", None, '"prod"', "prod", ["1", '" "', '"a\\u0000"']),
    ("account", "profile", None, '""', None, ["[]"]),
    (
        "account", "endpoint_url", None, '"http://127.0.0.1:4566"', "http://127.0.0.1:4566",
        ['"127.0.0.1:4566"', '"ftp://x"', '"http://"', '"http://x:99999"', '"http://x y"', "1"],
    ),
    ("account", "endpoint_url", None, '"https://[::1]/"', "https://[::1]/", ['"http://[::1"']),
    ("account", "transport", "auto", '"botocore"', "botocore", ['"urllib3"', "1"]),
    ("sqs", "queue_name", REQUIRED, '"a-B_1"', "a-B_1", ['"a b"', '"a.b"', "1", f'"{"q" * 81}"']),
    (
        "sqs", "queue_name", REQUIRED, '"jobs.fifo"', "jobs.fifo",
        ['"https://sqs.eu-west-1.amazonaws.com/1/jobs"', f'"{"q" * 76}.fifo"', '".fifo"'],
    ),
    ("sqs", "receivers", 8, "1", 1, ["0", "1001", '"8"', "true", "1.0"]),
    ("sqs", "wait_time", 20.0, "0", 0.0, ["-1", "21", '"1.5s"', "1.5", '"20"']),
    ("sqs", "wait_time", 20.0, '"20s"', 20.0, ['"20s1ns"', "true"]),
    ("sqs", "visibility_timeout", 60.0, "5", 5.0, ["4", '"5.5s"', '"x"']),
    ("sqs", "visibility_timeout", 60.0, '"12h"', 43200.0, ["43201", "0"]),
    ("sqs", "delivery", "at_least_once", '"at_most_once"', "at_most_once", ['"once"', "1"]),
    ("sqs", "dead_letter_queue", None, '"jobs-dlq"', "jobs-dlq", ['"arn:aws:sqs"', "false"]),
    ("kicker", "max_concurrent_num", 20, "1", 1, ["-1", '"1"', "true", "false", "1.5"]),
    ("kicker", "max_concurrent_num", 20, "0", 20, ["0.0"]),
    ("kicker", "life_time_trigger", None, '"echo \'x\'"', "echo 'x'", ["1", '" "']),
    ("kicker", "stats_port", 8061, "0", 8061, ["-1", "65536", '"80"', "true", "false"]),
    ("kicker", "stats_port", 8061, '"any"', "any", ['"ANY"', '""']),
    ("kicker", "stats_port", 8061, "65535", 65535, ['"http"']),
    ("kicker", "stats_socket", None, '"/run/x.sock"', "/run/x.sock", ["1", '" "']),
    ("kicker", "stats_host", "127.0.0.1", '"::"', "::", ['""', "1"]),
    ("kicker", "stats_hosts", (), '["kick.example", "K-1"]', ("kick.example", "K-1"), ['"x"', "1"]),
    ("kicker", "stats_hosts", (), "[]", (), ['["a:8061"]', '["http://a"]', '[""]', "[1]"]),
    ("kicker", "stats_token", None, '"abcDEF-_12~"', "abcDEF-_12~", ['"short"', '"a b c d e"']),
    ("kicker", "kill_over_life_time", False, "true", True, ["1", '"true"']),
    ("kicker", "timeout", 0.0, '"1h"', 3600.0, ["-1", '"-1s"', "1.5", '"1"']),
    ("kicker", "kill_grace", 10.0, "0", 0.0, ["-1", '"1d"', "false"]),
    ("kicker", "shutdown_timeout", 25.0, "0", 0.0, ["-1", '"soon"', "[]"]),
    ("kicker", "output_limit", 65536, "0", 0, ["-1", '"64k"', "1.0"]),
    ("kicker", "inherit_env", True, '["PATH", "HOME"]', ("PATH", "HOME"), ['"PATH"', "1"]),
    ("kicker", "inherit_env", True, "false", (), ['["A=B"]', '[""]', "[1]"]),
    ("kicker", "inherit_env", True, "true", True, ['["A\\u0000"]']),
    ("kicker", "max_waiting", 1000, "1", 1, ["0", '"1"', "true"]),
    ("kicker", "launcher", "auto", '"plain"', "plain", ['"fork"', "1"]),
    ("locker", "backend", "dynamodb", '"sqlite"', "sqlite", ['"dynamo"', '"a.b"', "1", '"a:"']),
    ("locker", "backend", "dynamodb", '"my.mod:Cls"', "my.mod:Cls", ['":C"', '"a b:C"', '"a:1"']),
    ("locker", "table", "sqsjkr", '"/var/lib/x.db"', "/var/lib/x.db", ['""', "1"]),
    ("locker", "lease", 60.0, '"5s"', 5.0, ["4", '"4.9s"', "1.5"]),
    ("locker", "retry_interval", 5.0, '"100ms"', 0.1, ["0", "-1", '"x"']),
    ("throttler", "backend", "dynamodb", '"none"', "none", ['"null"', '"a:b:c"', "[]"]),
    ("throttler", "table", "sqsjkr", '"t"', "t", ['" "', "true"]),
    ("throttler", "retention", None, "60", 60.0, ["59", "0", '"1 day"']),
    ("throttler", "retention", None, '"336h"', RETENTION_14_DAYS, ['"336h1s"']),
    (
        "redis", "url", "redis://127.0.0.1:6379/0",
        '"rediss://user:p%40ss@redis.example:6380/3"', "rediss://user:p%40ss@redis.example:6380/3",
        [
            '"127.0.0.1:6379"', '"http://x"', '"redis://"', '"redis://x:0"', '"redis://x:99999"',
            '"redis://x/one"', '"redis://x y"', '"redis://:a#b@x"', "6379", '""',
        ],
    ),
    (
        "redis", "url", "redis://127.0.0.1:6379/0",
        '"unix:///run/redis.sock?db=1"', "unix:///run/redis.sock?db=1",
        ['"unix://"', '"unix://run/redis.sock"'],
    ),
    ("retry", "exit_codes", (), "[1, 255]", (1, 255), ["[0]", "[256]", '["1"]', "1", '"all"']),
    ("retry", "exit_codes", (), '"any"', "any", ["true", "[true]"]),
    ("retry", "max_attempts", 5, "1", 1, ["0", '"5"', "true"]),
    ("retry", "backoff", 10.0, '"500ms"', 0.5, ["0", "-1", '"12h1s"', '"15m1s"']),
    ("retry", "max_backoff", 900.0, '"12h"', 43200.0, ["0", "43201", "9"]),
    ("history", "path", None, '"/var/lib/h.db"', "/var/lib/h.db", ["1", '" "']),
    ("history", "keep", 604800.0, '"30d"', 2592000.0, ['"7 d"', '"1.5d"', "59", '"0d"', '"-1d"']),
    ("history", "keep", 604800.0, '"36h"', 129600.0, ['"999999d"', "true"]),
    ("log", "level", "info", '"debug"', "debug", ['"verbose"', "1", '" info"']),
    ("log", "level", "info", '"WARN"', "warn", []),
    ("log", "level", "info", '"warn"', "warn", []),
    ("log", "level", "info", '"warning"', "warning", []),
    ("log", "level", "info", '"error"', "error", []),
    ("log", "format", "text", '"json"', "json", ['"xml"', "1"]),
]  # fmt: skip
BAD = [(section, key, bad) for section, key, _, _, _, bads in TABLE for bad in bads]


def written(section: str | None = None, key: str = "", value: str = "") -> str:
    """A TOML text with all that is required, and one key more (or other)."""
    tables = {name: {k: f'"{v}"' for k, v in table.items()} for name, table in BASE.items()}
    if section is not None:
        tables.setdefault(section, {})[key] = value
    return "\n".join(
        f"[{name}]\n" + "\n".join(f"{k} = {v}" for k, v in table.items())
        for name, table in tables.items()
    )


def loads(text: str, **environ: str) -> Config:
    """The config of a text, in an environment of its own."""
    return Config.loads(text, "conf.toml", environ)


def error(text: str, **environ: str) -> str:
    """What is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        loads(text, **environ)
    return str(caught.value)


def refusal(load: Callable[[], Config]) -> str | None:
    """Why a config is refused; None where it is not."""
    try:
        load()
    except ConfigError as error:
        return str(error)
    return None


def new(**keywords: object) -> Config:
    """Config.new with all that is required."""
    base = {"account_id": "123456789012", "region": "ap-northeast-1", "queue_name": "jobs"}
    return Config.new(**{**base, **keywords})


def test_the_table_of_this_test_has_every_key_of_the_config_in_it() -> None:
    """A new key needs a row of its own, with a bad value."""
    fields = {
        (section.name, key.name)
        for section in dataclasses.fields(Config)
        for key in dataclasses.fields(SECTIONS[section.name])
    }
    assert fields == {(section, key) for section, key, *_ in TABLE}
    assert fields == {(section, key) for section, key, _ in BAD}
    assert fields == set(CHECKS)


@pytest.mark.parametrize(("section", "key", "default"), [row[:3] for row in TABLE])
def test_a_key_that_is_not_there_has_its_default(section: str, key: str, default: object) -> None:
    """A file with only the required keys runs as documented."""
    value = getattr(getattr(loads(written()), section), key)
    expected = BASE[section][key] if default is REQUIRED else default
    assert (expected, type(expected)) == (value, type(value))


@pytest.mark.parametrize(("section", "key", "good", "parsed"), [(*r[:2], *r[3:5]) for r in TABLE])
def test_a_good_value_is_parsed(section: str, key: str, good: str, parsed: object) -> None:
    """Each key, in each form it may have."""
    value = getattr(getattr(loads(written(section, key, good)), section), key)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(("section", "key", "bad"), BAD)
def test_a_bad_value_is_an_error_that_names_key_file_and_what_was_expected(
    section: str, key: str, bad: str
) -> None:
    """One line that leads to the place and says what to write there."""
    text = error(written(section, key, bad))
    assert text.startswith("conf.toml: ")
    assert f"{section}.{key}: expected" in text or (
        key == "max_backoff" and "retry.backoff" in text
    )
    assert "\n" not in text


def test_the_password_of_a_redis_url_is_in_no_error_and_in_no_print_of_the_config() -> None:
    """Errors go to the log, and a config is printed by whoever looks for a fault."""
    assert "s3cret" not in error(written("redis", "url", '"redis://:s3cret@x/one"'))
    config = loads(written("redis", "url", '"redis://:s3cret@x"'))
    assert "s3cret" in config.redis.url
    assert "s3cret" not in repr(config)


@pytest.mark.parametrize(("section", "key", "good", "parsed"), [(*r[:2], *r[3:5]) for r in TABLE])
def test_every_key_is_a_keyword_of_new(section: str, key: str, good: str, parsed: object) -> None:
    """As section_key always, as key where only one section has it."""
    value = toml.loads(f"v = {good}")["v"]
    names = [name for name, where in KEYWORDS.items() if where == (section, key)]
    assert f"{section}_{key}" in names
    for name in names:
        config = Config.new(
            **{n: "jobs" for n in ["queue_name"] if n not in names},
            **{n: "123456789012" for n in ["account_id"] if n not in names},
            **{n: "eu-west-1" for n in ["region"] if "region" not in names},
            **{name: value},
        )
        assert parsed == getattr(getattr(config, section), key)


def test_no_keyword_of_new_stands_for_two_keys() -> None:
    """A key with the name of a section's key in it would be ambiguous."""
    long = {f"{section}_{key}" for section, key in CHECKS}
    assert len(CHECKS) == len(long)
    assert set() == long & {key for _, key in CHECKS}
    assert {"backend", "table", "id"} & set(KEYWORDS) == set()


def test_type_checkers_and_editors_know_every_keyword_of_new() -> None:
    """A key has its line in keywords.py under each of its names, or mypy would refuse it."""
    assert KEYWORDS.keys() == Keywords.__annotations__.keys()


def test_a_config_file_written_for_sqsjkr_loads_unchanged() -> None:
    """With its templates, and with sqsjkr's behaviour: kill_over_life_time stays off."""
    config = loads(SQSJKR, ACCOUNT="12345678", STATS_PORT="8062")
    assert ("12345678", "default", "ap-northeast-1") == (
        config.account.id, config.account.profile, config.account.region,
    )  # fmt: skip
    assert "sqsjkr_queue" == config.sqs.queue_name
    assert (5, 8062, None) == (
        config.kicker.max_concurrent_num, config.kicker.stats_port, config.kicker.stats_socket,
    )  # fmt: skip
    assert "echo 'stdin!' | ./test/trigger_test.sh" == config.kicker.life_time_trigger
    assert config.kicker.kill_over_life_time is False


def test_a_file_of_sqsjkr_may_spell_its_names_in_any_case() -> None:
    """The TOML package of Go heeds no case, so such files are in use."""
    text = SQSJKR.replace("[account]", "[ACCOUNT]").replace("region =", "Region =")
    text = text.replace("[sqs]", "[SQS]").replace("queue_name", "Queue_Name")
    text = text.replace("[kicker]", "[Kicker]").replace("max_concurrent_num", "Max_Concurrent_NUM")
    environ = {"ACCOUNT": "12345678", "AWS_REGION": "eu-west-1"}
    assert loads(SQSJKR, **environ) == loads(text, **environ)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[log]\nlevel = 'info'\nLevel = 'debug'", "log.level and log.Level are the same"),
        ("[log]\nLEVEL = 'info'\nLevel = 'info'", "log.LEVEL and log.Level are the same"),
        ("[log]\nlevel = 'info'\n[LOG]\nformat = 'json'", "[log] and [LOG] are the same"),
    ],
)
def test_one_name_in_two_spellings_is_an_error(text: str, named: str) -> None:
    """Nobody could say which of them counts; in Go it is left to chance."""
    assert named in error(f"{written()}\n{text}")


def test_what_sqsjkr_takes_as_left_out_is_left_out() -> None:
    """A 0 is its default there, and files are written by programs that know no better."""
    left_out = "[kicker]\nmax_concurrent_num = 0\nstats_port = 0\nlife_time_trigger = ''"
    assert loads(written()) == loads(f"{written()}\n{left_out}")


def test_any_free_port_is_bound_to_as_0() -> None:
    """As the system has it."""
    assert (0, 8061, 1) == (
        new(stats_port="any").kicker.port, new(stats_port=0).kicker.port,
        new(stats_port=1).kicker.port,
    )  # fmt: skip


def test_a_must_env_that_is_not_set_is_an_error_with_the_line() -> None:
    """The variable is named."""
    text = error(SQSJKR)
    assert text.startswith("conf.toml, line 3: ")
    assert "ACCOUNT" in text


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", "sqs.queue_name"),
        ("[account]\nid = '1'\nregion = 'r'", "sqs.queue_name"),
        ("[sqs]\nqueue_name = ''", "sqs.queue_name"),
        ("[sqs]\nqueue_name = 'q'", "account.id"),
        ("[sqs]\nqueue_name = 'q'\n[account]\nid = ''\nregion = 'r'", "account.id"),
        ("[sqs]\nqueue_name = 'q'\n[account]\nid = '1'", "account.region"),
        ("[sqs]\nqueue_name = 'q'\n[account]\nid = '1'\nregion = ''", "account.region"),
    ],
)
def test_required_keys_are_asked_for_in_the_order_of_sqsjkr(text: str, missing: str) -> None:
    """queue_name, account id, region; an empty string is none."""
    assert error(text).startswith(f"conf.toml: {missing} is required: ")


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
    ],
)
def test_the_region_falls_back_to_the_environment(environ: dict[str, str], region: str) -> None:
    """AWS_REGION first, as the SDKs have it."""
    text = "[sqs]\nqueue_name = 'q'\n[account]\nid = '1'"
    assert region == loads(text, **environ).account.region
    assert "ap-northeast-1" == loads(written(), **environ).account.region


def test_a_bad_region_of_the_environment_is_named_as_such() -> None:
    """The file is not to blame."""
    text = "[sqs]\nqueue_name = 'q'\n[account]\nid = '1'"
    assert error(text, AWS_REGION="a b").startswith("AWS_REGION: account.region: expected")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("[kickr]\nx = 1", "unknown section [kickr]; did you mean kicker?"),
        ("[Kickr]\nx = 1", "unknown section [Kickr]; did you mean kicker?"),
        ("[qqqqqq]", "known: account, sqs, kicker"),
        ("[kicker]\nmax_concurent_num = 1", "did you mean kicker.max_concurrent_num?"),
        ("[kicker]\nTimeOuts = 1", "unknown key kicker.TimeOuts; did you mean kicker.timeout?"),
        ("[kicker]\nwait_time = 1", "kicker.wait_time; did you mean sqs.wait_time?"),
        ("[log]\ntable = 'x'", "did you mean locker.table or throttler.table?"),
        ("[log]\nzzz = 1", "unknown key log.zzz; known: level, format"),
        ("[[kicker]]\nx = 1", "kicker: expected a section, written [kicker]"),
        ("[log.level]\nx = 1", "log.level: expected one of debug, info"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_an_error_with_the_nearest_known_one(more: str, named: str) -> None:
    """A typing error must not silently leave a default in force."""
    text = error(f"{written()}\n{more}")
    assert text.startswith("conf.toml: ")
    assert named in text


def test_a_key_outside_of_a_section_is_an_error_with_its_section() -> None:
    """The file looks right and is not."""
    text = error("queue_name = 'jobs'")
    hint = "did you mean sqs.queue_name?"
    assert text == f"conf.toml: the key queue_name is outside any section; {hint}"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[sqs]\nwait_time = 20s", 2, "neither a number nor text in quotes"),
        ("[sqs]\nqueue_name = jobs", 2, "neither a number nor text in quotes"),
        ("[sqs]\n[sqs]", 2, "sqs is defined twice"),
        ("[sqs]\n\nwait_time = 1\nwait_time = 2", 4, "Duplicate"),
        ("[sqs]\n\nx = {b = 1", 3, "cannot be parsed"),
        ("[sqs]\n. = 1\n[log]", 2, "cannot be parsed"),
        ("[retry]\nexit_codes = [1, 2", 2, "] is missing"),
        ("[retry]\nexit_codes = [", 2, "] is missing"),
        ("[kicker]\ninherit_env = ['A', 1]", 2, "Not a homogeneous array"),
    ],
)
def test_a_text_that_is_no_toml_is_an_error_with_the_line(
    text: str, line: int, reason: str
) -> None:
    """Also where the TOML package itself stumbles, or silently reads half a list."""
    message = error(text)
    assert message.startswith(f"conf.toml, line {line}: ")
    assert reason in message


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*"[]{}=.,\"'#\n ab1_-\\u", "sqs", "[kicker]\n", " = "])))
def test_any_text_is_a_config_or_a_config_error(pieces: list[str]) -> None:
    """Nothing else comes out of a wrong file."""
    reason = refusal(lambda: loads("".join(pieces)))
    assert reason is None or "conf.toml" in reason


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(CHECKS)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
    | st.lists(st.integers() | st.text(st.characters()), max_size=3) | st.binary(),
)  # fmt: skip
def test_any_value_of_a_key_is_taken_or_a_config_error(name: tuple[str, str], value: Any) -> None:
    """Nothing else comes out of a wrong value."""
    reason = refusal(lambda: new(**{"_".join(name): value}))
    assert reason is None or name[1] in reason


def test_one_address_of_the_stats_is_enough() -> None:
    """A port and a socket in one file contradict each other."""
    both = f"{written()}\n[kicker]\nstats_port = 1\nstats_socket = '/x'"
    assert "stats_port and kicker.stats_socket: expected only one of them" in error(both)
    with pytest.raises(ConfigError, match="expected only one of them"):
        new(stats_port=1, stats_socket="/x")
    with pytest.raises(ConfigError, match="expected only one of them"):
        new().replace(kicker__stats_port=1, kicker__stats_socket="/x")
    with pytest.raises(ConfigError, match="expected only one of them"):
        new(stats_port="any", stats_socket="/x")


@pytest.mark.parametrize("keys", ["stats_port = 0\nstats_socket = '/x'", "stats_socket = '/x'"])
def test_a_stats_port_of_zero_beside_a_socket_is_how_sqsjkr_says_none(keys: str) -> None:
    """Such a file loads unchanged."""
    assert "/x" == loads(f"{written()}\n[kicker]\n{keys}").kicker.stats_socket


def test_a_backoff_above_its_maximum_is_an_error() -> None:
    """Also where only one of them is in the file."""
    assert "retry.backoff: expected at most retry.max_backoff, which is 15m0s, got 1h0m0s" in error(
        written("retry", "backoff", '"1h"')
    )
    with pytest.raises(ConfigError, match=r"Config\.replace: retry\.backoff"):
        new().replace(retry__max_backoff=1)


def test_at_most_once_on_a_fifo_queue_is_refused() -> None:
    """The message is deleted before its job runs, and with it goes the order of its group."""
    fifo = written("sqs", "queue_name", '"jobs.fifo"')
    assert "at_least_once" == loads(fifo).sqs.delivery
    once = fifo.replace("[sqs]", "[sqs]\ndelivery = 'at_most_once'")
    assert error(once).startswith("conf.toml: sqs.delivery: at_most_once deletes a message before")
    assert "set at_least_once, or use a standard queue" in error(once)
    with pytest.raises(ConfigError, match=r"^Config\.new: sqs\.delivery"):
        new(queue_name="jobs.fifo", delivery="at_most_once")
    with pytest.raises(ConfigError, match=r"^Config\.replace: sqs\.delivery"):
        new(queue_name="jobs.fifo").replace(sqs__delivery="at_most_once")


def test_overrides_come_before_the_file_and_none_is_no_override() -> None:
    """What the command line hands on: every option, given or not."""
    overrides = {
        "account__profile": None,
        "account__region": "eu-west-1",
        "locker__table": "t",
        "throttler__table": "t",
        "log__level": "debug",
    }
    config = Config.loads(written("account", "profile", '"p"'), "f", {}, overrides)
    assert ("p", "eu-west-1", "t", "t", "debug") == (
        config.account.profile, config.account.region, config.locker.table,
        config.throttler.table, config.log.level,
    )  # fmt: skip


def test_an_override_can_give_what_the_file_lacks() -> None:
    """--region is enough where the file has none."""
    text = "[sqs]\nqueue_name = 'q'\n[account]\nid = '1'"
    config = Config.loads(text, "f", {}, {"account__region": "eu-west-1"})
    assert "eu-west-1" == config.account.region


@pytest.mark.parametrize(
    ("inside", "override", "expected"),
    [
        ("stats_port = 1", {"kicker__stats_socket": "/x"}, (8061, "/x")),
        ("stats_socket = '/x'", {"kicker__stats_port": 2}, (2, None)),
    ],
)
def test_a_stats_address_of_the_command_line_puts_that_of_the_file_out_of_force(
    inside: str, override: dict[str, object], expected: tuple[int, str | None]
) -> None:
    """Whatever kind of address either of them is."""
    config = Config.loads(f"{written()}\n[kicker]\n{inside}", "f", {}, override)
    assert expected == (config.kicker.stats_port, config.kicker.stats_socket)


def test_a_bad_override_is_an_error_of_the_command_line() -> None:
    """The file is not to blame."""
    with pytest.raises(ConfigError, match=r"^command line: log\.level: expected one of"):
        Config.loads(written(), "f", {}, {"log__level": "loud"})
    with pytest.raises(ConfigError, match="did you mean log__level"):
        Config.loads(written(), "f", {}, {"log__levl": "info"})


def test_replace_gives_another_config_and_leaves_the_first_as_it_is() -> None:
    """A config is never changed."""
    first = new(stats_socket="/x")
    second = first.replace(sqs__wait_time="5s", kicker__stats_port=1, account__profile=None)
    assert (20.0, 8061, "/x") == (
        first.sqs.wait_time, first.kicker.stats_port, first.kicker.stats_socket,
    )  # fmt: skip
    assert (5.0, 1, None) == (
        second.sqs.wait_time, second.kicker.stats_port, second.kicker.stats_socket,
    )  # fmt: skip
    assert "/y" == second.replace(kicker__stats_socket="/y").kicker.stats_socket
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.log = second.log  # type: ignore[misc]


@pytest.mark.parametrize(
    ("keyword", "near"),
    [
        ("queue", "queue_name"),
        ("max_concurrent", "max_concurrent_num"),
        ("lock_table", "locker_table"),
    ],
)
def test_a_wrong_keyword_of_new_is_an_error_with_the_nearest_one(keyword: str, near: str) -> None:
    """Nobody has to look the names up."""
    with pytest.raises(ConfigError, match=f"unknown keyword {keyword}; did you mean {near}"):
        new(**{keyword: 1})


def test_the_same_key_under_two_keywords_is_an_error() -> None:
    """Nobody could say which of them was meant."""
    with pytest.raises(ConfigError, match="given twice"):
        new(timeout=1, kicker_timeout=2)


def test_none_as_a_keyword_of_new_is_the_default() -> None:
    """A caller can hand its own optional arguments on."""
    assert new() == new(profile=None, wait_time=None, locker_table=None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        ("directory", "cannot be read: Is a directory"),
        (b"[sqs]\n\nqueue_name = '\xff'", "line 3: not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_config_error(
    tmp_path: Path, content: bytes | str | None, reason: str
) -> None:
    """Missing, a directory, or not text: never a traceback."""
    path = tmp_path / "conf.toml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)


def test_a_file_without_read_permission_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in the words of the system; root may read all, so the refusal is played."""

    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"^/etc/x: cannot be read: Permission denied$"):
        Config.load("/etc/x")


def test_a_path_no_system_takes_is_a_config_error() -> None:
    """A NUL in a path is a ValueError to Python."""
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load("a\0b")


def test_a_file_loads_with_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    """Whatever editor wrote it."""
    path = tmp_path / "conf.toml"
    path.write_bytes(b"\xef\xbb\xbf" + written().replace("\n", "\r\n").encode())
    assert loads(written()) == Config.load(str(path))


def test_the_environment_of_the_process_is_used_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is read when a config is loaded, not when the package is imported."""
    monkeypatch.setenv("SQSJKR_TEST_QUEUE", "from-env")
    text = written("sqs", "queue_name", '"{{ must_env `SQSJKR_TEST_QUEUE` }}"')
    assert "from-env" == Config.loads(text).sqs.queue_name


def sample() -> str:
    """The sample config of the package."""
    return (importlib.resources.files("sqsjkr_gevent.config") / "sample.toml").read_text("utf-8")


def test_the_sample_config_loads_and_kills_over_life_time() -> None:
    """Somebody who starts from it has the life time bound the run."""
    config = loads(sample())
    assert config.kicker.kill_over_life_time is True


def test_the_sample_config_shows_every_key_with_its_default() -> None:
    """What is commented out can be uncommented, and changes nothing.

    Without a default, and so only shown, are the optional strings and the retention.
    """
    keys = re.findall(r"^#? ?(\w+) = ", sample(), re.MULTILINE)
    assert sorted(key for _, key in CHECKS) == sorted(keys)
    shown = re.sub(r"^# (\w+ = )", r"\1", sample(), flags=re.MULTILINE)
    shown = re.sub(r"^stats_socket.*", "", shown, flags=re.MULTILINE)
    config, plain = loads(shown), loads(sample())
    examples = {"profile", "endpoint_url", "dead_letter_queue", "life_time_trigger", "retention"}
    examples |= {"stats_token", "path"}
    for section, key in CHECKS:
        if key not in examples:
            assert getattr(getattr(plain, section), key) == getattr(getattr(config, section), key)


def test_the_config_page_documents_every_key_and_holds_the_sample() -> None:
    """The page is what somebody looks at, at night."""
    page = (DOCS / "config.md").read_text("utf-8")
    assert sample() in page
    for section in SECTIONS:
        part = page.split(f"\n## [{section}]")[1].split("\n## ")[0]
        documented = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
        assert [key for where, key in CHECKS if where == section] == documented
