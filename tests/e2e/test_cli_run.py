"""The command without a subcommand: its options, its exit codes, what it says when it fails."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gevent import monkey

from kickers import DEADLINE, settings, toml
from servers import free_port
from sqsjkr_gevent import __version__

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]


def run(*arguments: object, cwd: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The line that says why it failed: the last one, and the only one that is no log."""
    said = [line for line in done.stderr.splitlines() if not line.startswith('{"')]
    assert 1 == len(said), done.stderr
    assert said[0].startswith("sqsjkr-gevent: ")
    return said[0]


@pytest.fixture
def conf(tmp_path: Path) -> Any:
    """Write a config file."""

    def write(config: dict[str, Any] | str) -> Path:
        path = tmp_path / "conf.toml"
        path.write_text(config if isinstance(config, str) else toml(config))
        return path

    return write


BASE = '[account]\nid = "123456789012"\nregion = "us-east-1"\n[sqs]\nqueue_name = "jobs"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE + "[kicker]\nmax_concurent_num = 3\n", "did you mean kicker.max_concurrent_num?"),
        ("[account\n", "line 1"),
        ("[sqs]\nqueue_name = 'jobs'\n", "account.id is required"),
        (BASE + "[kicker]\ntimeout = true\n", "kicker.timeout: expected"),
        (BASE + "[locker]\nbackend = 'no.such:Locker'\n", "no.such"),
        (BASE.replace("region", "profile = 'nobody'\nregion"), "nobody"),
    ],
)
def test_a_config_that_cannot_be_used_ends_it_with_2(
    conf: Any, tmp_path: Path, text: str, expected: str, aws: Any
) -> None:
    """A supervisor that sees a 2 need not start it again."""
    endpoint = f'endpoint_url = "{aws.endpoint_url}"\nregion'
    if "no.such" in text:
        aws.sqs.create_queue(QueueName="jobs")
    text = text.replace("region", endpoint)
    done = run("-c", conf(text), "--stats-port", "any", cwd=tmp_path, **aws.env)
    assert 2 == done.returncode, done.stderr
    assert expected in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_missing_config_is_named_and_what_writes_one(tmp_path: Path) -> None:
    """The first thing that goes wrong for everybody."""
    done = run("-c", "nowhere.toml", cwd=tmp_path)
    assert 2 == done.returncode
    assert "nowhere.toml: no such file" in last_line(done)
    assert "init" in last_line(done)


@pytest.mark.parametrize(
    "arguments",
    ["--no-such-option", "no-such", "-c", "--stats-port x", "send", "init --max-receive-count 0"],
)
def test_wrong_usage_ends_it_with_2_and_names_the_help(arguments: str, tmp_path: Path) -> None:
    """One line, like everything else that goes wrong."""
    done = run(*arguments.split(), cwd=tmp_path)
    assert 2 == done.returncode
    assert "--help`" in last_line(done)


def test_a_queue_that_is_missing_is_named_with_what_creates_it(
    aws: Any, conf: Any, tmp_path: Path
) -> None:
    """1, for it may be there the next time."""
    config = settings(aws, None or type("Q", (), {"name": "no-queue"}))
    done = run("-c", conf(config), cwd=tmp_path, **aws.env)
    assert 1 == done.returncode
    assert "'no-queue'" in last_line(done)
    assert "`sqsjkr-gevent init`" in last_line(done)


@pytest.mark.parametrize("other", ["locker", "throttler"])
def test_the_lock_table_of_the_command_line_comes_before_the_files(
    aws: Any, conf: Any, queue: Any, table: Any, tmp_path: Path, other: str
) -> None:
    """And one that is missing is named with what creates it."""
    path = conf(settings(aws, queue, table, **{other: {"backend": "none"}}))
    done = run("-lock-table", "no-table", "-conf", path, cwd=tmp_path, **aws.env)
    assert 1 == done.returncode
    assert "'no-table'" in last_line(done)
    assert "`sqsjkr-gevent init`" in last_line(done)


def test_without_credentials_it_says_where_they_may_come_from(
    aws: Any, conf: Any, queue: Any, tmp_path: Path
) -> None:
    """It would never find any by waiting."""
    done = run("-c", conf(settings(aws, queue)), cwd=tmp_path)
    assert 1 == done.returncode
    assert "no AWS credentials" in last_line(done)
    assert "AWS_*" in last_line(done)


def test_a_stats_port_in_use_is_named(aws: Any, conf: Any, queue: Any, tmp_path: Path) -> None:
    """As when it is started twice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ("-c", conf(settings(aws, queue)), "-stats-port", port)
        done = run(*arguments, cwd=tmp_path, **aws.env)
    assert 1 == done.returncode
    assert str(port) in last_line(done)


@pytest.mark.parametrize("level", ["error", "debug"])
def test_a_fault_that_nobody_foresaw_is_one_line_and_a_traceback_on_demand(
    aws: Any, conf: Any, queue: Any, tmp_path: Path, level: str
) -> None:
    """Users report the line, developers need the traceback."""
    (tmp_path / "odd.py").write_text(
        "class Locker:\n"
        "    def lock(self, a, b): ...\n"
        "    def unlock(self, a): ...\n"
        "    lease = None\n"
        "    def acquire(self, *a, **k): ...\n"
        "    renew = release = acquire\n"
        "    def check(self): raise RuntimeError('odd')\n"
    )
    path = conf(settings(aws, queue, locker={"backend": "odd:Locker"}))
    environ = {**aws.env, "PYTHONPATH": pythonpath(tmp_path)}
    done = run("-c", path, "--log-level", level, cwd=tmp_path, **environ)
    assert 1 == done.returncode
    assert done.stderr.splitlines()[-1].startswith("sqsjkr-gevent: RuntimeError: odd")
    assert (level == "debug") == ("Traceback" in done.stderr)


def pythonpath(directory: Path) -> str:
    """PYTHONPATH with one more directory."""
    return os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))


def test_an_endpoint_out_of_reach_is_tried_for_ever_and_a_stop_is_clean(
    aws: Any, kick: Any, queue: Any
) -> None:
    """A network that is down at boot comes up later."""
    nobody = f"http://127.0.0.1:{free_port()}"
    kicker = kick(settings(aws, queue, account={"endpoint_url": nobody}))
    said = kicker.says("cannot start yet, retrying", count=2)
    assert nobody in said["reason"]
    assert 0 == kicker.stop()


@pytest.mark.parametrize(("dashes", "equals"), [("-", " "), ("--", "=")])
def test_options_come_before_the_file_in_either_spelling(
    aws: Any, kick: Any, queue: Any, tmp_path: Path, dashes: str, equals: str
) -> None:
    """A stats_socket puts the file's port out of force; the log level is the option's."""
    path = tmp_path / "stats.sock"
    options = f"{dashes}stats-socket{equals}{path} {dashes}log-level{equals}info"
    config = settings(aws, queue, kicker={"stats_port": free_port()}, log={"level": "error"})
    kicker = kick(config, arguments=tuple(options.split()))
    kicker.started()
    assert str(path) == kicker.says("stats")["address"]
    assert 0 == kicker.stop()
    assert not path.exists()


def test_options_that_say_nothing_to_sqsjkr_leave_the_file_as_it_is(
    aws: Any, kick: Any, queue: Any
) -> None:
    """Unit files have them from variables that may be empty; a level may be in capitals."""
    port = free_port()
    config = settings(aws, queue, kicker={"stats_port": port}, log={"level": "error"})
    empty = [word for name in ("stats-socket", "region", "profile") for word in (f"-{name}", "")]
    kicker = kick(config, arguments=(*empty, "-stats-port", "0", "-log-level", "DEBUG"))
    kicker.started()
    assert ["127.0.0.1", port] == kicker.says("stats")["address"]


def test_a_stats_port_of_the_command_line_comes_before_the_files_socket(
    aws: Any, kick: Any, queue: Any, tmp_path: Path
) -> None:
    """The other way round."""
    config = settings(aws, queue)
    config["kicker"].pop("stats_port")
    config["kicker"]["stats_socket"] = str(tmp_path / "stats.sock")
    port = free_port()
    kicker = kick(config, arguments=("-stats-port", str(port)))
    kicker.started()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/metrics") as answer:
        assert 200 == answer.status
    assert 0 == kicker.stop()


@pytest.mark.parametrize(
    ("option", "expected"), [("--region=eu-west-3", "region eu-west-3"), ("", "region us-east-1")]
)
def test_the_region_of_the_command_line_comes_before_the_files(
    aws: Any, conf: Any, tmp_path: Path, option: str, expected: str
) -> None:
    """For subcommands as well, where options go before them."""
    config = settings(aws, type("Q", (), {"name": "no-queue"}))
    done = run("-c", conf(config), *option.split(), "check", cwd=tmp_path, **aws.env)
    assert 1 == done.returncode
    assert expected in done.stdout


@pytest.mark.parametrize("option", ["--version", "-version"])
def test_it_tells_its_version(option: str, tmp_path: Path) -> None:
    """sqsjkr does so by either."""
    assert f"sqsjkr-gevent {__version__}\n" == run(option, cwd=tmp_path).stdout


def test_help_needs_no_boto3_and_no_flask(tmp_path: Path) -> None:
    """It is asked for again and again while one writes a command line."""
    done = run("--help", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert "check" in done.stdout
    for heavy in ("botocore", "flask", "sqsjkr_gevent.kicker"):
        assert heavy not in done.stderr


def test_ctrl_c_in_a_subcommand_is_quiet_and_130(conf: Any, tmp_path: Path) -> None:
    """Not a fault, so no traceback, though it comes while gevent waits; and shells know 130."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        endpoint = f'endpoint_url = "http://127.0.0.1:{mute.getsockname()[1]}"\nregion'
        process = subprocess.Popen(
            [*COMMAND, "-c", str(conf(BASE.replace("region", endpoint))), "send", "true"],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
            stderr=subprocess.PIPE,
            text=True,
            # A shell has what it starts by `&` ignore it, and so may these tests have been.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        mute.settimeout(DEADLINE)
        with mute.accept()[0]:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=DEADLINE)
    assert (130, "") == (process.returncode, said.strip())


@pytest.mark.parametrize("arguments", ["check", "send true"])
def test_output_that_nobody_reads_is_quiet(aws: Any, conf: Any, queue: Any, arguments: str) -> None:
    """As in `sqsjkr-gevent check | head -1`."""
    reading, writing = os.pipe()
    monkey.get_original("os", "close")(reading)  # gevent's would do it later.
    done = subprocess.run(
        [*COMMAND, "-c", str(conf(settings(aws, queue))), *arguments.split()],
        # Buffered, as it is for everybody: then it fails when it is flushed at the end.
        env={**os.environ, **aws.env, "PYTHONUNBUFFERED": ""},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
    )
    os.close(writing)
    assert (1, "") == (done.returncode, done.stderr)
