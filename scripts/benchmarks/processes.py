"""The programs that the benchmarks start, and how to talk to them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1] / ".bench"

#: How long any step here may take, in seconds.
DEADLINE = 120.0

AWS = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def clean_environment() -> dict[str, str]:
    """The environment without variables that AWS clients read, and without proxies."""
    skipped = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {
        name: value for name, value in os.environ.items() if not name.upper().startswith(skipped)
    }


def until(condition: Callable[[], object], every: float = 0.05) -> None:
    """Wait until the condition is true. Raises TimeoutError."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a benchmark's condition was never met")
        time.sleep(every)


@contextmanager
def running(
    command: list[str], *, env: dict[str, str] | None = None, output: bool = False
) -> Iterator[subprocess.Popen]:
    """Run a process for the `with` block, then send SIGTERM. output: whether to pipe stdout."""
    process = subprocess.Popen(
        command,
        env={**clean_environment(), **AWS, **(env or {})},
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if output else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Also kill its children: the `node` of the wheel is a program that starts another one.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Sqs:
    """A client of sqs_server.py."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, **fields: object) -> dict:
        """Send a control request to the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("POST", path, json.dumps(fields))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def fill(self, queue: str, body: str, count: int) -> None:
        """Put messages into a queue."""
        self.ask("/fill", queue=queue, body=body, count=count)

    def wait_for_deletes(self, count: int) -> dict:
        """Wait until `count` messages are deleted. Returns the server's /tell response."""
        until(lambda: self.ask("/tell")["deleted"] >= count, every=0.2)
        return self.ask("/tell")


@contextmanager
def sqs_server() -> Iterator[Sqs]:
    """Run an SQS server for the `with` block."""
    with running([sys.executable, str(HERE / "sqs_server.py")], output=True) as process:
        yield Sqs(int(process.stdout.readline()))


@contextmanager
def dynamodb_server(delay: float) -> Iterator[str]:
    """Run a DynamoDB server for the `with` block. Yields its URL."""
    program = [sys.executable, str(HERE / "dynamodb_server.py"), str(delay)]
    with running(program, output=True) as process:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"


def floor(threads: int, parallel: int, jobs: int, command: str) -> tuple[float, float]:
    """Run floor.c. Returns seconds and CPU seconds."""
    return _measured([str(HOME / "floor"), str(threads), str(parallel), str(jobs), command])


def launch(
    launcher: str, parallel: int, jobs: int, command: str, megabytes: int = 0
) -> tuple[float, float]:
    """Run launch.py. Returns seconds and CPU seconds."""
    program = [sys.executable, str(HERE / "launch.py"), launcher]
    return _measured([*program, str(parallel), str(jobs), command, str(megabytes)])


def _measured(command: list[str]) -> tuple[float, float]:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=DEADLINE, cwd=HERE
    )
    seconds, cpu = map(float, done.stdout.split())
    return seconds, cpu


class Kicker:
    """A running kicker."""

    def __init__(self, process: subprocess.Popen, address: Path) -> None:
        self.process = process
        self.address = address

    def stats(self) -> dict:
        """Its stats."""
        with stats_connection(self.address) as connection:
            connection.request("GET", "/stats/metrics/v2")
            return json.loads(connection.getresponse().read())

    def told(self) -> dict:
        """Stop it. Returns the measurements that it prints at its end."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=DEADLINE)
        return json.loads(said)


@contextmanager
def stats_connection(path: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection over a Unix socket."""
    connection = http.client.HTTPConnection("localhost", timeout=DEADLINE)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(DEADLINE)
    connection.sock.connect(str(path))
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def kicker(
    sqs: Sqs,
    folder: Path,
    queue: str,
    *,
    slots: int,
    dynamodb: str | None = None,
    tick: bool = True,
) -> Iterator[Kicker]:
    """Run a kicker for the `with` block.

    dynamodb: the server's URL; None for no locks and no throttler. tick: whether the kicker
    measures the lag of its hub.
    """
    backend = "dynamodb" if dynamodb else "none"
    address, conf = folder / f"{queue}.sock", folder / f"{queue}.toml"
    conf.write_text(
        f"""
[account]
id = "123456789012"
region = "us-east-1"
[sqs]
queue_name = "{queue}"
receivers = 16
[kicker]
max_concurrent_num = {slots}
stats_socket = "{address}"
shutdown_timeout = 0
kill_grace = 1
[locker]
backend = "{backend}"
[throttler]
backend = "{backend}"
"""
    )
    env = {"AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{sqs.port}"}
    if dynamodb:
        env["AWS_ENDPOINT_URL_DYNAMODB"] = dynamodb
    ours = [str(HERE / "kick.py"), str(conf)] if tick else ["-m", "sqsjkr_gevent", "-c", str(conf)]
    program = [sys.executable, *ours]
    with running(program, env=env, output=True) as process:
        until(lambda: address.exists() and Path(f"/proc/{process.pid}").exists())
        yield Kicker(process, address)
