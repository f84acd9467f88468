"""`send` against a real queue."""

import json
import os
import pty
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from kickers import DEADLINE, settings, toml

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]


@pytest.fixture
def send(aws: Any, queue: Any, tmp_path: Path) -> Any:
    """Run `send` to its end; no table is there, for it needs none."""
    conf = tmp_path / "conf.toml"
    no_table = type("Table", (), {"name": "no-table"})
    conf.write_text(toml(settings(aws, queue, no_table)))

    def run(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, "-c", str(conf), "send", *map(str, arguments)],
            env={**os.environ, **aws.env},
            text=True,
            timeout=DEADLINE,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    return run


def drained(queue: Any) -> dict[str, Any]:
    """All messages of a queue: id to parsed body."""
    found: dict[str, Any] = {}
    while received := queue.receive():
        found |= {one["MessageId"]: json.loads(one["Body"]) for one in received}
    return found


def lines(count: int) -> str:
    """That many jobs, one a line."""
    return "".join(json.dumps({"command": f"echo {number}"}) + "\n" for number in range(count))


def test_a_command_is_sent_as_it_is_and_its_id_printed(send: Any, queue: Any) -> None:
    """The id is what the log of the kicker goes by."""
    done = send("echo $A | wc")
    assert (0, "") == (done.returncode, done.stderr)
    assert {done.stdout.strip(): {"command": "echo $A | wc"}} == drained(queue)


def test_every_key_of_a_job_has_an_option(send: Any, queue: Any) -> None:
    """What follows the command's first word is the command's, dashes or not."""
    done = send(
        *("--env", "A=b", "--env", "C=d e", "--event-id", "nightly", "--life-time", "1m"),
        *("--lock-id", "l", "--abort-if-locked", "--disable-life-time-trigger"),
        *("--timeout", "60", "--kill-over-life-time", "echo", "-n", "--env", "it's"),
    )
    assert 0 == done.returncode, done.stderr
    job = {
        "command": """echo -n --env 'it'"'"'s'""",
        "envs": {"A": "b", "C": "d e"},
        "event_id": "nightly",
        "life_time": "1m",
        "lock_id": "l",
        "abort_if_locked": True,
        "disable_life_time_trigger": True,
        "timeout": 60,
        "kill_over_life_time": True,
    }
    assert [job] == list(drained(queue).values())


def test_a_delay_keeps_the_job_back(send: Any, queue: Any) -> None:
    """SQS has it, not the kicker."""
    assert 0 == send("--delay", 600, "true").returncode
    assert {"visible": 0, "in_flight": 0, "delayed": 1} == queue.counts()


@pytest.mark.queue(fifo=True)
def test_a_fifo_queue_takes_equal_jobs_one_after_the_other(send: Any, queue: Any) -> None:
    """Each gets a deduplication id of its own, unless it is given."""
    assert "--group-id" in send("true").stderr
    for _ in range(2):
        assert 0 == send("--group-id", "g", "true").returncode
        assert 0 == send("--group-id", "g", "--dedup-id", "same", "false").returncode
    assert 0 == send("--group-id", "g", "--file", "-", input=lines(12)).returncode
    commands = []
    while received := queue.receive():
        for one in received:
            commands.append(json.loads(one["Body"])["command"])
            queue.delete(one)
    assert ["true", "false", "true", *(f"echo {number}" for number in range(12))] == commands


@pytest.mark.parametrize("source", ["-", "file", "pipe"])
def test_many_are_sent_from_a_file_or_a_stream(
    send: Any, queue: Any, tmp_path: Path, source: str
) -> None:
    """25 are three batches; their ids come in the order of the lines."""
    if source == "file":
        (tmp_path / "jobs").write_text(lines(25))
        done = send("--file", tmp_path / "jobs")
    elif source == "pipe":
        done = send("--file", "/dev/stdin", input=lines(25))
    else:
        done = send("-f", "-", input=lines(25))
    assert (0, "") == (done.returncode, done.stderr)
    ids = done.stdout.split()
    found = drained(queue)
    assert [f"echo {number}" for number in range(25)] == [found[one]["command"] for one in ids]


@pytest.mark.parametrize("source", ["-", "file"])
def test_one_bad_line_and_nothing_is_sent(
    send: Any, queue: Any, tmp_path: Path, source: str
) -> None:
    """Half a file that was sent is hard to take up again."""
    text = lines(15) + '\n{"command": ""}\n' + lines(15) + "not JSON\n"
    (tmp_path / "jobs").write_text(text)
    done = send("-f", source if source == "-" else tmp_path / "jobs", input=text)
    assert (2, "") == (done.returncode, done.stdout)
    said = done.stderr.splitlines()
    assert 3 == len(said)
    assert said[0].startswith("sqsjkr-gevent: line 17: command: expected")
    assert said[1].startswith("sqsjkr-gevent: line 33: the body is not JSON")
    assert queue.is_empty()


def test_a_job_that_does_not_fit_is_not_sent(send: Any, queue: Any) -> None:
    """The same check as the kicker's, before the message is on its way."""
    done = send("--life-time", "1 hour", "true")
    assert 2 == done.returncode
    assert done.stderr.startswith("sqsjkr-gevent: life_time: expected")
    assert 1 == len(done.stderr.splitlines())
    assert queue.is_empty()


def test_an_unknown_key_is_told_and_sent(send: Any, queue: Any) -> None:
    """The kicker ignores it; whoever sends it may not know."""
    done = send("-f", "-", input='{"command": "true", "lifetime": 1}\n')
    assert 0 == done.returncode
    assert "warning: line 1: unknown key 'lifetime'" in done.stderr
    assert "life_time" in done.stderr
    assert 1 == queue.counts()["visible"]


def test_large_jobs_are_spread_over_batches(send: Any, queue: Any) -> None:
    """Ten of these are more than a batch may weigh."""
    text = "".join(json.dumps({"command": "true " + "x" * 100_000}) + "\n" for _ in range(10))
    done = send("-f", "-", input=text)
    assert 0 == done.returncode, done.stderr
    assert 10 == len(drained(queue))


def test_what_the_server_refuses_is_told_by_its_line(send: Any, queue: Any) -> None:
    """The rest is sent, and the exit code is 1."""
    control = '{"command": "true \x7f￿"}'
    done = send("-f", "-", input=lines(1) + control + "\n" + lines(1))
    if done.returncode == 0:
        pytest.skip("this server takes what SQS refuses")
    assert 1 == done.returncode
    assert done.stderr.startswith("sqsjkr-gevent: line")


def test_an_empty_file_is_no_error(send: Any, queue: Any) -> None:
    """As of a query that found nothing."""
    done = send("-f", "-", input="\n")
    assert (0, "") == (done.returncode, done.stdout)
    assert "no job" in done.stderr


def test_a_missing_queue_is_named_with_what_creates_it(aws: Any, tmp_path: Path) -> None:
    """Before any job is lost."""
    conf = tmp_path / "conf.toml"
    name = f"none-{uuid.uuid4().hex[:8]}"
    conf.write_text(toml(settings(aws, type("Queue", (), {"name": name}))))
    done = subprocess.run(
        [*COMMAND, "send", "-c", str(conf), "true"],
        env={**os.environ, **aws.env},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (1, "") == (done.returncode, done.stdout)
    assert f"'{name}'" in done.stderr
    assert "`sqsjkr-gevent init`" in done.stderr


def test_a_terminal_sees_a_progress_bar_and_a_file_only_the_ids(send: Any, queue: Any) -> None:
    """What is counted or piped must be ids alone."""
    ours, theirs = pty.openpty()
    done = send("-f", "-", input=lines(25), stderr=theirs)
    os.close(theirs)
    seen = os.read(ours, 1_000_000).decode()
    os.close(ours)
    assert 0 == done.returncode
    assert 25 == len(done.stdout.split())
    assert "100%" in seen
    assert done.stdout.split()[0] not in seen
