"""The parts of the command line that need no process."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from sqsjkr_gevent.aws.batches import MAX_BATCH_BYTES, batches
from sqsjkr_gevent.aws.provision import dead_letter_name
from sqsjkr_gevent.cli.argv import GO_OPTIONS, with_two_dashes
from sqsjkr_gevent.cli.check.host import open_files, times
from sqsjkr_gevent.cli.failing import explained
from sqsjkr_gevent.cli.send import sender
from sqsjkr_gevent.cli.send.input import body_of, check, read_lines
from sqsjkr_gevent.cli.send.sender import Interrupted, Line, Sender
from sqsjkr_gevent.config import Config
from sqsjkr_gevent.errors import ConfigError, InvalidMessage, StartError
from sqsjkr_gevent.local.process import environment, write_config


@pytest.mark.parametrize(
    ("given_line", "expected"),
    [
        ("-conf x", "--conf x"),
        ("-conf=x", "--conf=x"),
        ("--conf x -stats-port 8061", "--conf x --stats-port 8061"),
        ("-log-level debug -profile p -region r", "--log-level debug --profile p --region r"),
        ("-lock-table t -stats-socket s", "--lock-table t --stats-socket s"),
        ("-version", "--version"),
        ("-c -conf", "-c -conf"),
        ("-conf -region -region r", "--conf -region --region r"),
        ("-cfoo", "-cfoo"),
        ("-config x", "-config x"),
        ("-conf x send -conf y", "--conf x send -conf y"),
        ("-conf x -- -region", "--conf x -- -region"),
        ("-conf", "--conf"),
        ("", ""),
    ],
)
def test_options_of_sqsjkr_are_taken_with_one_dash(given_line: str, expected: str) -> None:
    """Go's flags are written either way in the unit files that sqsjkr's users have."""
    assert expected.split() == with_two_dashes(given_line.split())


@given(st.lists(st.sampled_from([*(f"-{name}" for name in GO_OPTIONS), "x", "--", "-n"])))
def test_nothing_of_a_subcommand_is_rewritten(words: list[str]) -> None:
    """What is sent is a command of its own, whose options look like ours now and then."""
    assert ["-c", "x", "send", *words] == with_two_dashes(["-c", "x", "send", *words])


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ConfigError("a\n  b"), 2, "a b"),
        (StartError("no queue"), 1, "no queue"),
        (click.UsageError("what?"), 2, "what? See `sqsjkr-gevent --help`."),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (
            ReadTimeoutError(endpoint_url="http://x"),  # Has a response, which is None.
            1,
            (
                'Read timeout on endpoint URL: "http://x"; '
                "check account.region, account.endpoint_url and the network"
            ),
        ),
        (RuntimeError("odd"), 1, "RuntimeError: odd (use --log-level debug for a traceback)"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(error: BaseException, code: int, text: str) -> None:
    """Supervisors go by the code, people by the line."""
    assert (code, text) == explained(error)


@given(st.lists(st.integers(1, MAX_BATCH_BYTES + 10), max_size=40), st.integers(1, 10))
def test_batches_keep_to_both_limits_and_the_order(sizes: list[int], limit: int) -> None:
    """SQS refuses a whole batch that is too long."""
    lines = [Line(number, "é" * (size // 2)) for number, size in enumerate(sizes)]
    made = list(batches(lines, Line.size, max_entries=limit))
    assert lines == [line for batch in made for line in batch]
    for batch in made:
        length = sum(len(line.body.encode()) for line in batch)
        assert len(batch) <= limit
        assert length <= MAX_BATCH_BYTES or len(batch) == 1


def test_lines_are_numbered_as_editors_number_them() -> None:
    """Errors name the line, and blank ones count."""
    raw = [b"\xef\xbb\xbf{}\r\n", b"\n", b"  \n", "\u3000{}\n".encode(), b"\xff"]
    read = list(read_lines(raw))
    assert [(1, "{}"), (4, "{}"), (5, "\udcff")] == [(line.number, line.body) for line in read]


@pytest.mark.parametrize(
    "body", ["\udcff", '{"command":"' + "x" * sender.MAX_MESSAGE_BYTES + '"}', "{}"]
)
def test_what_no_queue_takes_is_refused(body: str) -> None:
    """Bytes that are no UTF-8, more than a message holds, no command."""
    with pytest.raises(InvalidMessage, match="expected"):
        check(Line(1, body))


def test_an_unknown_key_is_a_warning_with_the_nearest_one() -> None:
    """The kicker ignores it, and its sender may have meant another."""
    assert ["unknown key 'lockid' is ignored; did you mean lock_id?"] == check(
        Line(1, '{"command": "true", "lockid": "a"}')
    )


@pytest.mark.parametrize(
    ("command", "env", "keys", "expected"),
    [
        (("a | b",), (), {}, {"command": "a | b"}),
        (("echo", "a b"), (), {}, {"command": "echo 'a b'"}),
        (("x",), ("A=", "B=c=d"), {}, {"command": "x", "envs": {"A": "", "B": "c=d"}}),
        (("x",), (), {"life_time": "60"}, {"command": "x", "life_time": 60}),
        (("x",), (), {"life_time": "1m"}, {"command": "x", "life_time": "1m"}),
        (("x",), (), {"timeout": "-1"}, {"command": "x", "timeout": -1}),
        (("x",), (), {"life_time": ""}, {"command": "x", "life_time": ""}),
        (("x",), (), {"lock_id": "60"}, {"command": "x", "lock_id": "60"}),
        (("x",), (), {"abort_if_locked": True}, {"command": "x", "abort_if_locked": True}),
        (("x",), (), {"abort_if_locked": False, "lock_id": None}, {"command": "x"}),
    ],
)  # fmt: skip
def test_arguments_become_a_body(command: Any, env: Any, keys: Any, expected: Any) -> None:
    """One argument is a line of shell, several are words; keys are there only where given."""
    assert expected == json.loads(body_of(command, env, **keys))


@pytest.mark.parametrize("text", ["secret", "=secret"])
def test_a_bad_variable_is_refused_without_being_shown(text: str) -> None:
    """It may be a secret, and the terminal may be recorded."""
    with pytest.raises(click.UsageError) as caught:
        body_of(("x",), (text,))
    assert "secret" not in str(caught.value)


class Answers:
    """A client that answers as it is told; what it was asked is in `calls`."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    def call(self, operation: str, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        """Each answer says for each body: ok, ours (SQS's own fault), theirs, or nothing."""
        self.calls.append([entry["MessageBody"] for entry in Entries])
        fates = self.answers.pop(0)
        answer: dict[str, list[Any]] = {"Successful": [], "Failed": []}
        for entry in Entries:
            one = {"Id": entry["Id"], "Code": "Code", "Message": "text"}
            match fates.get(entry["MessageBody"], ""):
                case "ok":
                    answer["Successful"].append(one | {"MessageId": f"id-{entry['MessageBody']}"})
                case "ours" | "theirs" as whose:
                    answer["Failed"].append(one | {"SenderFault": whose == "theirs"})
        return answer


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat without waiting."""
    monkeypatch.setattr(sender.time, "sleep", lambda seconds: None)


def sent(client: Any, bodies: str, *, fifo: bool = False) -> list[str]:
    """Send each letter as a body; message ids, or reasons."""
    lines = [Line(number, body) for number, body in enumerate(bodies, 1)]
    results = Sender(client, "url", fifo=fifo, options={}).send(lines)
    assert lines == [result.line for result in results]
    return [result.message_id or result.reason for result in results]


@pytest.mark.usefixtures("no_wait")
def test_only_what_sqs_could_not_take_is_sent_again() -> None:
    """To send the rest again would make jobs run twice; to send a bad one again is in vain."""
    client = Answers({"a": "ok", "b": "ours", "c": "theirs"}, {"b": "ok"})
    assert ["id-a", "id-b", "Code: text"] == sent(client, "abc")
    assert [["a", "b", "c"], ["b"]] == client.calls


@pytest.mark.usefixtures("no_wait")
def test_repeating_ends_and_says_what_was_not_sent() -> None:
    """A queue that refuses for ever must not hold up a shell script for ever."""
    client = Answers(*[{"a": "ok", "b": "ours"}] * sender.ATTEMPTS)
    unsaid = "SQS returned no result for it"
    assert ["id-a", "Code: text", unsaid] == sent(client, "abc")
    assert sender.ATTEMPTS == len(client.calls)


def test_a_fifo_queue_gets_nothing_after_what_it_refused() -> None:
    """Jobs of a group run in order, so a later one must not get ahead."""
    with pytest.raises(Interrupted, match="Code: text"):
        sent(Answers({"a": "theirs"}), "a", fifo=True)


@pytest.mark.parametrize(
    ("queue", "expected"), [("jobs", "jobs-dlq"), ("jobs.fifo", "jobs-dlq.fifo")]
)
def test_the_dead_letter_queue_has_the_queues_name(queue: str, expected: str) -> None:
    """And a FIFO queue needs a FIFO one."""
    config = Config.new(account_id="1", region="r", queue_name=queue)
    assert expected == dead_letter_name(config)
    assert "mine" == dead_letter_name(config.replace(sqs__dead_letter_queue="mine"))


def test_a_queue_whose_dead_letter_queue_would_have_too_long_a_name() -> None:
    """SQS would say it less plainly."""
    with pytest.raises(ConfigError, match=r"set sqs\.dead_letter_queue"):
        dead_letter_name(Config.new(account_id="1", region="r", queue_name="q" * 78))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, []),
        ({"shutdown_timeout": 19}, ["kicker.shutdown_timeout"]),
        ({"visibility_timeout": 14}, ["sqs.visibility_timeout"]),
        ({"lease": 14}, ["locker.lease"]),
        ({"lease": 14, "locker_backend": "none"}, []),
        ({"kill_grace": 56}, ["sqs.visibility_timeout", "locker.lease"]),
    ],
)
def test_times_that_do_not_fit_together_are_found(keys: Any, expected: list[str]) -> None:
    """Each is fine alone, so the config takes it."""
    config = Config.new(account_id="1", region="r", queue_name="q", **keys)
    assert expected == [finding.what for finding in times(config)]


def test_local_mode_keeps_the_users_aws_settings_out() -> None:
    """A job that is tried out must not reach a real account."""
    environ = environment({"AWS_PROFILE": "real", "AWS_SESSION_TOKEN": "x", "HOME": "/h"})
    assert {"HOME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= environ.keys()
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & environ.keys()
    assert "local" == environ["AWS_ACCESS_KEY_ID"]


def test_local_mode_writes_over_its_own_config_only(tmp_path: Path) -> None:
    """`--dir .` where the real conf.toml lies must not cost it."""
    trigger = 'echo "quoted" \\ é'
    for endpoint in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        path = write_config(tmp_path, endpoint, {"life_time_trigger": trigger}, {"level": None})
        config = Config.load(path)
        assert (endpoint, trigger) == (config.account.endpoint_url, config.kicker.life_time_trigger)
    path.write_text("[account]\n")
    with pytest.raises(ConfigError, match="use another directory"):
        write_config(tmp_path, endpoint, {}, {})
    assert "[account]\n" == path.read_text()


@pytest.mark.parametrize(
    ("limit", "jobs", "warned"),
    [
        (256, 20, False),
        (256, 200, True),
        (1024, 200, False),
        (1024, 1000, True),
        (None, 9999, False),
    ],
)
def test_a_limit_of_open_files_that_has_no_room_for_all_jobs_is_found(
    limit: int | None, jobs: int, warned: bool
) -> None:
    """Else it shows on the day when all slots are busy for the first time."""
    config = Config.new(account_id="1", region="r", queue_name="q", max_concurrent_num=jobs)
    texts = [finding.text for finding in open_files(config, limit)]
    assert warned == bool(texts)
    assert all(f"kicker.max_concurrent_num = {jobs}: set " in text for text in texts)
