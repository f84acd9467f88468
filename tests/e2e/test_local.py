"""`local`: no account, no config; a server of its own that ends with it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from kickers import DEADLINE
from waiting import eventually

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]


class Local:
    """A running `sqsjkr-gevent local`, its output in files."""

    def __init__(self, home: Path, *arguments: str, **environ: str) -> None:
        self.out, self.log = home / "out", home / "log"
        with self.out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "local", "--stats-port", "any", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**os.environ, "TMPDIR": str(home), **environ},
            )

    def says(self, text: str) -> None:
        """Wait until its log has the text."""

        def said() -> bool:
            log = self.log.read_text()
            if self.process.poll() is not None and text not in log:
                raise RuntimeError(f"it has ended: {log}")
            return text in log

        eventually(said, deadline=DEADLINE)

    def server(self) -> psutil.Process:
        """The process of its SQS and DynamoDB."""
        children = psutil.Process(self.process.pid).children()
        [server] = [child for child in children if "local.server" in " ".join(child.cmdline())]
        return server


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Any]:
    """Start local mode and wait until it receives."""
    started = []

    def start(*arguments: str, **environ: str) -> Local:
        started.append(Local(tmp_path, *arguments, **environ))
        started[-1].says("started")
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(DEADLINE)


def gone(process: psutil.Process) -> bool:
    """Whether the process has ended; its parent may not have asked for its end."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_command_it_shows_sends_a_job_and_it_leaves_nothing_behind(
    local: Any, tmp_path: Path
) -> None:
    """The whole of local mode, from a shell that knows nothing of the first."""
    running = local()
    shown = re.findall(r"^ +(env AWS.*)$", running.out.read_text(), re.MULTILINE)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    sent = subprocess.run(
        ["sh", "-c", shown[0]], env=environ, cwd="/", capture_output=True, text=True
    )
    assert 0 == sent.returncode, sent.stderr
    running.says(sent.stdout.strip())
    running.says("job succeeded")

    server = running.server()
    running.process.send_signal(signal.SIGTERM)
    assert 0 == running.process.wait(DEADLINE)
    assert gone(server)
    assert {"out", "log"} == {path.name for path in tmp_path.iterdir()}


def test_the_server_ends_with_a_kicker_that_is_killed(local: Any) -> None:
    """SIGKILL leaves it no time to tell it."""
    running = local()
    server = running.server()
    running.process.kill()
    eventually(lambda: gone(server), deadline=DEADLINE)


def test_it_ends_with_1_where_its_server_dies(local: Any) -> None:
    """To go on would be to wait for ever for a queue that is gone."""
    running = local()
    running.server().kill()
    assert 1 == running.process.wait(DEADLINE)
    assert "server has ended (signal 9)" in running.log.read_text().splitlines()[-1]


def test_the_users_own_aws_settings_do_not_reach_it(local: Any, tmp_path: Path) -> None:
    """Nor a proxy, which could not reach this host's loopback; jobs get none of them, too."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = nowhere\nendpoint_url = http://127.0.0.1:9\n")
    running = local(
        AWS_PROFILE="nobody",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_CONFIG_FILE=str(config),
        http_proxy="http://127.0.0.1:9",
    )
    running.process.send_signal(signal.SIGINT)
    assert 0 == running.process.wait(DEADLINE)


def test_its_options_are_in_the_config_it_writes(local: Any, tmp_path: Path) -> None:
    """It can be read, and copied."""
    arguments = ("--dir", str(tmp_path / "d"), "--max-concurrent-num", "3", "--log-format", "json")
    running = local(*arguments, "--life-time-trigger", "cat >&2")
    written = (tmp_path / "d" / "conf.toml").read_text()
    for line in ("max_concurrent_num = 3", 'format = "json"', 'life_time_trigger = "cat >&2"'):
        assert line in written.splitlines()
    running.process.send_signal(signal.SIGTERM)
    assert 0 == running.process.wait(DEADLINE)
    assert (tmp_path / "d" / "conf.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("-c", "conf.toml", "local"), 2, "omit --conf"),
        (("--profile", "p", "local"), 2, "omit --conf"),
        (("local", "--max-concurrent-num", "-1"), 2, "kicker.max_concurrent_num"),
        (("local", "--dir", "."), 2, "conf.toml: exists"),
    ],
)
def test_what_local_mode_refuses(
    tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    """One line, and the user's own conf.toml is as it was."""
    (tmp_path / "conf.toml").write_text("[account]\n")
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE
    )
    assert (code, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert text in done.stderr
    assert "[account]\n" == (tmp_path / "conf.toml").read_text()


def test_without_moto_it_says_what_to_install(tmp_path: Path) -> None:
    """The extra is easily forgotten."""
    (tmp_path / "moto.py").write_text("raise ImportError('no moto here')\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [*COMMAND, "local"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert 'pip install "sqsjkr-gevent[local]"' in done.stderr
