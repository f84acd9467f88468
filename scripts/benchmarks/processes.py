"""The programs that a benchmark starts, and how it talks to them."""

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

#: Seconds that anything here may take.
DEADLINE = 120.0

AWS = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def clean_environment() -> dict[str, str]:
    """This environment without anything that AWS clients or proxies go by."""
    skipped = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {
        name: value for name, value in os.environ.items() if not name.upper().startswith(skipped)
    }


def until(condition: Callable[[], object], every: float = 0.05) -> None:
    """Wait for it. Raises TimeoutError."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a benchmark's condition never came")
        time.sleep(every)


@contextmanager
def running(
    command: list[str], *, env: dict[str, str] | None = None, output: bool = False
) -> Iterator[subprocess.Popen]:
    """A process for the block, ended by SIGTERM; its standard output is a pipe where asked for."""
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
        # Its children as well: the `node` of the wheel is a program that starts another.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Sqs:
    """The server of sqs_server.py."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, **fields: object) -> dict:
        """One request to the server itself."""
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
        """Wait until so many messages were deleted; what the server tells then."""
        until(lambda: self.ask("/tell")["deleted"] >= count, every=0.2)
        return self.ask("/tell")


@contextmanager
def sqs_server() -> Iterator[Sqs]:
    """An SQS for the block."""
    with running([sys.executable, str(HERE / "sqs_server.py")], output=True) as process:
        yield Sqs(int(process.stdout.readline()))


@contextmanager
def dynamodb_server(delay: float) -> Iterator[str]:
    """A DynamoDB for the block; its address."""
    program = [sys.executable, str(HERE / "dynamodb_server.py"), str(delay)]
    with running(program, output=True) as process:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"


def floor(threads: int, parallel: int, jobs: int, command: str) -> tuple[float, float]:
    """Seconds and CPU seconds of floor.c."""
    return _measured([str(HOME / "floor"), str(threads), str(parallel), str(jobs), command])


def launch(
    launcher: str, parallel: int, jobs: int, command: str, megabytes: int = 0
) -> tuple[float, float]:
    """Seconds and CPU seconds of launch.py."""
    program = [sys.executable, str(HERE / "launch.py"), launcher]
    return _measured([*program, str(parallel), str(jobs), command, str(megabytes)])


def _measured(command: list[str]) -> tuple[float, float]:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=DEADLINE, cwd=HERE
    )
    seconds, cpu = map(float, done.stdout.split())
    return seconds, cpu


class Kicker:
    """A kicker that runs."""

    def __init__(self, process: subprocess.Popen, address: Path) -> None:
        self.process = process
        self.address = address

    def stats(self) -> dict:
        """Its statistics."""
        with stats_connection(self.address) as connection:
            connection.request("GET", "/stats/metrics/v2")
            return json.loads(connection.getresponse().read())

    def told(self) -> dict:
        """Stop it, and what it says of itself."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=DEADLINE)
        return json.loads(said)


@contextmanager
def stats_connection(path: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection over a unix socket."""
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
    """A kicker for the block.

    dynamodb: None for no locks and no throttle. tick: whether it measures how its hub turns.
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
