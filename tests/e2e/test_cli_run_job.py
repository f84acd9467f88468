"""`run-job`: one job here and now, as a kicker would run it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gates import Gate
from kickers import DEADLINE, settings, toml
from waiting import eventually


@pytest.fixture
def run_job(aws, queue, table, tmp_path: Path):
    """Start run-job with a body on its standard input."""

    def start(body: Any, *options: str, **sections: Any) -> "subprocess.Popen[str]":
        conf = tmp_path / "conf.toml"
        conf.write_text(toml(settings(aws, queue, table, **sections)))
        process = subprocess.Popen(
            [sys.executable, "-m", "sqsjkr_gevent", "-c", str(conf), *options, "run-job", "-"],
            env={**os.environ, **aws.env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(body if isinstance(body, str) else json.dumps(body))
        process.stdin.close()
        process.stdin = None
        return process

    return start


@pytest.mark.parametrize(
    ("body", "code", "printed", "said"),
    [
        ({"command": "echo $A $SQSJKR_EVENT_ID", "env": {"A": "a"}, "event_id": "e"},
         0, "a e\n", ""),
        ({"command": "echo out; exit 7"}, 7, "out\n", "job errored: exit 7"),
        ({"command": "kill -9 $$"}, 137, "", "signal SIGKILL"),
        ({"command": "sleep 100", "timeout": 1}, 1, "", "over its timeout"),
        ({"command": "x" * 200_000}, 1, "", "job failed"),
        ({"comand": "true"}, 2, "", "command: expected a command"),
        ("no json", 2, "", "not JSON"),
    ],
)  # fmt: skip
def test_it_prints_what_the_job_prints_and_exits_as_the_job(run_job, body, code, printed, said):
    """What it says itself goes to standard error, in one line."""
    process = run_job(body)
    out, err = process.communicate(timeout=DEADLINE)
    assert (code, printed) == (process.returncode, out)
    assert said in err
    assert err.count("\n") == bool(said)


def test_output_comes_as_the_job_prints_it(run_job, tmp_path):
    """Also what is more than is kept of it."""
    gate = Gate(tmp_path)
    process = run_job({"command": f"echo first; {gate.command}; seq 100000"})
    assert "first\n" == process.stdout.readline()
    gate.open()
    out, _ = process.communicate(timeout=DEADLINE)
    assert [str(n) for n in range(1, 100_001)] == out.splitlines()


def test_it_waits_for_the_lock_of_its_job_and_says_so(run_job, queue, table, aws, tmp_path, kick):
    """A job that is run by hand is a job."""
    gate = Gate(tmp_path)
    kicker = kick(settings(aws, queue, table)).started()
    queue.send({"command": gate.command, "lock_id": "L"})
    kicker.says("job started")
    name = kicker.says("started")["name"]
    process = run_job({"command": "echo ran $SQSJKR_LOCK_TOKEN", "lock_id": "L"})
    line = process.stderr.readline()
    assert f"waiting for lock 'L', held by {name}:" in line
    gate.open()
    out, _ = process.communicate(timeout=DEADLINE)
    assert (0, "ran ") == (process.returncode, out[:4])
    assert out[4:].strip().isdigit()
    assert "EventId" not in table.row("L", "lock")


def test_it_fails_at_once_where_the_job_does_not_wait(run_job, queue, table, aws, tmp_path, kick):
    """abort_if_locked."""
    gate = Gate(tmp_path)
    kicker = kick(settings(aws, queue, table)).started()
    queue.send({"command": gate.command, "lock_id": "L"})
    kicker.says("job started")
    process = run_job({"command": "true", "lock_id": "L", "abort_if_locked": True})
    _, err = process.communicate(timeout=DEADLINE)
    assert (1, True) == (process.returncode, "lock 'L' is held by" in err)
    gate.open()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_and_frees_its_lock(run_job, table, tmp_path, number):
    """Nothing is left behind."""
    file = tmp_path / "pid"
    process = run_job({"command": f"echo $$ > {file}; sleep 1000", "lock_id": "L"})
    pid = int(eventually(lambda: file.exists() and file.read_text().strip(), deadline=DEADLINE))
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE)
    assert 130 == process.returncode
    assert "Traceback" not in err
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert "EventId" not in table.row("L", "lock")


def test_a_trigger_is_told_of_a_job_that_its_life_time_ended(run_job, tmp_path):
    """kill_over_life_time bounds the run."""
    file = tmp_path / "told"
    process = run_job(
        {"command": "sleep 1000", "life_time": 1, "kill_over_life_time": True},
        kicker={"life_time_trigger": f"cat > {file}"},
    )
    _, err = process.communicate(timeout=DEADLINE)
    assert (1, True) == (process.returncode, "killed over its life_time" in err)
    assert "command:sleep 1000, life_time:1s" in file.read_text()


def test_a_file_that_cannot_be_read_is_a_usage_error(aws, queue, table, tmp_path):
    """One line, exit code 2."""
    conf = tmp_path / "conf.toml"
    conf.write_text(toml(settings(aws, queue, table)))
    (tmp_path / "latin1").write_bytes(b'{"command": "\xe9"}')
    for name, said in (("missing", "cannot be read"), ("latin1", "expected UTF-8")):
        done = subprocess.run(
            [sys.executable, "-m", "sqsjkr_gevent", "run-job", str(tmp_path / name), "-c", conf],
            env={**os.environ, **aws.env}, capture_output=True, text=True, timeout=DEADLINE,
        )  # fmt: skip
        assert (2, "", True) == (done.returncode, done.stdout, said in done.stderr)


def test_a_reader_that_has_seen_enough_ends_the_job(run_job, table, tmp_path):
    """As in `run-job ... | head -1`; and one that is slow does not keep the lock from renewal."""
    process = run_job({"command": "yes", "lock_id": "L"}, locker={"lease": 5})
    assert "y\n" == process.stdout.readline()
    version = table.row("L", "lock")["Version"]
    eventually(lambda: version != table.row("L", "lock")["Version"], deadline=30)
    process.stdout.close()
    assert process.wait(DEADLINE) in (1, 130)
    assert "Traceback" not in process.stderr.read()
    assert "EventId" not in table.row("L", "lock")
