"""The programs that the benchmarks start, and how to talk to them."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1] / ".bench"

#: How long any step here may take, in seconds.
DEADLINE = 300.0

#: Messages that one /fill holds.
MAX_FILL = 5000

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
    command: Sequence[str | Path],
    *,
    env: dict[str, str] | None = None,
    output: bool = False,
    errors: Path | None = None,
) -> Iterator[subprocess.Popen]:
    """Run a process for the `with` block, then send SIGTERM.

    output: whether to pipe stdout. errors: the file for stderr, None to drop it.
    """
    with Path(errors or os.devnull).open("ab") as file:
        process = subprocess.Popen(
            command,
            env={**clean_environment(), **AWS, **(env or {})},
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output else subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Also kill its children: the `node` of the wheel is a program that starts another one.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Aws:
    """A client of the control requests of aws/server.c."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        #: For whoever calls it.
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_SQS": self.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.url,
            "SQS_PORT": str(port),
        }

    def _ask(self, path: str, **fields: object) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("POST", path, json.dumps(fields))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def tell(self) -> dict:
        """What it has done so far."""
        return self._ask("/tell")

    def delay(self, seconds: float) -> None:
        """Delay responses by so much from now on."""
        self._ask("/delay", seconds=seconds)

    def fill(self, queue: str, bodies: str | Sequence[str], count: int) -> None:
        """Put `count` messages into a queue, with these bodies in turn."""
        bodies = [bodies] if isinstance(bodies, str) else bodies
        for begin in range(0, count, MAX_FILL):
            some = min(MAX_FILL, count - begin)
            turn = [bodies[n % len(bodies)] for n in range(begin, begin + min(some, len(bodies)))]
            messages = [{"body": body, "md5": _md5(body)} for body in turn]
            self._ask("/fill", queue=queue, count=some, messages=messages)


def _md5(body: str) -> str:
    return hashlib.md5(body.encode()).hexdigest()  # noqa: S324 (SQS's own)


@contextmanager
def aws_server(delay: float) -> Iterator[Aws]:
    """Run an SQS and DynamoDB for the `with` block. delay: seconds of each response."""
    with running([HOME / "aws", str(delay)], output=True) as process:
        yield Aws(int(process.stdout.readline()))


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
    seconds, cpu = map(float, run(command).split())
    return seconds, cpu


def run(command: Sequence[str | Path], env: dict[str, str] | None = None) -> str:
    """Run a program to its end. Returns what it prints."""
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        cwd=HERE,
        env={**clean_environment(), **AWS, **(env or {})},
    )
    return done.stdout


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
