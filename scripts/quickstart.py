"""Runs `sqsjkr-gevent local`, sends sample jobs, and shows whether each ended as expected."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from sqsjkr_gevent import Config

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

#: How long each wait may take, in seconds; a slow machine needs some of it.
DEADLINE = 60.0

INVALID = '{"command": 1}'

OUTCOMES = ("succeeded", "errored", "failed", "invalid")


@dataclass
class Sample:
    """A job and how it should end. job: its body. reason: must be part of the reason in the log."""

    about: str
    job: dict[str, Any]
    outcome: str
    reason: str = ""
    id: str = ""


@dataclass
class Local:
    """A running `sqsjkr-gevent local`, with its files in `home`."""

    home: Path
    process: "subprocess.Popen[bytes]"
    sqs: Any = None
    urls: dict[str, str] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        """The config file that it wrote."""
        return self.home / "conf.toml"

    def log(self) -> list[dict[str, Any]]:
        """The complete lines of its log so far."""
        lines = (self.home / "log").read_text(errors="replace").split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def endings(self) -> dict[str, dict[str, Any]]:
        """The log lines with an outcome, by job id."""
        events = {f"job {outcome}": outcome for outcome in OUTCOMES}
        return {
            line["job_id"]: line | {"outcome": events[line["event"]]}
            for line in self.log()
            if line["event"] in events
        }

    def send(self, *arguments: str, stdin: str = "") -> list[str]:
        """Run `sqsjkr-gevent send`. Returns the message ids."""
        command = [*COMMAND, "-c", str(self.conf), "send", *arguments]
        environ = os.environ | CREDENTIALS
        sent = subprocess.run(
            command, env=environ, input=stdin, text=True, stdout=subprocess.PIPE, check=True
        )
        return sent.stdout.split()

    def wait(self, what: str, is_true: Callable[[], Any]) -> Any:
        """Wait until it is true. Raises SystemExit after DEADLINE, or if local mode has ended."""
        until = time.monotonic() + DEADLINE
        while not (value := is_true()):
            if self.process.poll() is not None or time.monotonic() > until:
                tail = (self.home / "log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"quickstart: timed out waiting for {what}\n{tail}")
            time.sleep(0.05)
        return value


def samples(home: Path) -> list[Sample]:
    """The jobs that are sent together, as JSON lines."""
    sh, exclusive = "command", f"echo begin >>{home}/pair; sleep 0.3; echo end >>{home}/pair"
    held = f"touch {home}/held; until [ -e {home}/release ]; do sleep 0.1; done"
    no_trigger = {"life_time": "-1s", "disable_life_time_trigger": True}
    killed = {"life_time": "3s", "kill_over_life_time": True}
    return [
        Sample("holds a lock until told to stop", {sh: held, "lock_id": "door"}, "succeeded"),
        Sample("plain", {sh: "echo hello"}, "succeeded", "exit 0"),
        Sample("a pipe", {sh: "seq 10 | sort -r | head -1"}, "succeeded"),
        Sample("not only ASCII", {sh: "echo こんにちは"}, "succeeded"),
        Sample("2 MB of output", {sh: "head -c 2000000 /dev/zero"}, "succeeded"),
        Sample("with a name", {sh: "true", "event_id": "nightly"}, "succeeded"),
        Sample("in time", {sh: "true", "life_time": "1h", "timeout": 60}, "succeeded"),
        Sample("fails", {sh: "echo oh >&2; exit 3"}, "errored", "exit 3"),
        Sample("no such command", {sh: "no-such-command"}, "errored", "exit 127"),
        Sample("killed by a signal", {sh: "kill -KILL $$"}, "errored", "SIGKILL"),
        Sample("one lock, first", {sh: exclusive, "lock_id": "pair"}, "succeeded"),
        Sample("one lock, second", {sh: exclusive, "lock_id": "pair"}, "succeeded"),
        Sample("over its timeout", {sh: "sleep 60", "timeout": "1s"}, "errored", "timeout"),
        Sample("killed over its life time", {sh: "sleep 60"} | killed, "errored", "life_time"),
        Sample("over, no trigger", {sh: "true"} | no_trigger, "failed", "life_time"),
    ]


def start(home: Path) -> Local:
    """Start local mode, and wait until it receives."""
    trigger = f"cat >>{home}/triggered; echo >>{home}/triggered"
    options = ["--dir", str(home), "--stats-port", "any", "--log-format", "json"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "local", *options, "--life-time-trigger", trigger],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    return Local(home, process)


def connect(local: Local) -> None:
    """Wait until it receives, and look up its queues."""
    local.wait("it to start", lambda: any(line["event"] == "started" for line in local.log()))
    account = Config.load(local.conf).account
    keys = {name.lower(): value for name, value in CREDENTIALS.items()}
    local.sqs = boto3.Session(region_name=account.region, **keys).client(
        "sqs", endpoint_url=account.endpoint_url
    )
    for name in ("jobs", "jobs-dlq"):
        local.urls[name] = local.sqs.get_queue_url(QueueName=name)["QueueUrl"]


def run(local: Local) -> list[Sample]:
    """Send everything, and wait until every job has ended."""
    jobs = samples(local.home)
    lines = "".join(json.dumps(one.job) + "\n" for one in jobs)
    for one, message_id in zip(jobs, local.send("--file", "-", stdin=lines), strict=True):
        one.id = message_id

    def also(about: str, outcome: str, reason: str, *arguments: str) -> Sample:
        jobs.append(Sample(about, {}, outcome, reason, *local.send(*arguments)))
        return jobs[-1]

    delayed = ("--delay", "2", "--life-time", "1s", "true")
    also("past its life time", "failed", "life_time", *delayed)
    also("with a variable", "succeeded", "", "--env", "A=b", '[ "$A" = b ]')
    invalid = local.sqs.send_message(QueueUrl=local.urls["jobs"], MessageBody=INVALID)
    jobs.append(Sample("invalid", {}, "invalid", "command", invalid["MessageId"]))
    local.wait("the holder of the lock", (local.home / "held").exists)
    locked = also(
        "gives up at a lock", "failed", "lock", "--lock-id", "door", "--abort-if-locked", "true"
    )
    local.wait("it to give up", lambda: locked.id in local.endings())
    (local.home / "release").touch()
    local.wait("all jobs", lambda: {one.id for one in jobs} <= local.endings().keys())
    return jobs


def stats(local: Local) -> dict[str, Any]:
    """The v2 statistics."""
    host, port = next(line["address"] for line in local.log() if line["event"] == "stats")
    with urllib.request.urlopen(f"http://{host}:{port}/stats/metrics/v2") as answer:
        counted: dict[str, Any] = json.load(answer)
    return counted


def is_empty(local: Local) -> bool:
    """Whether the queue has no messages left, in any state."""
    answer = local.sqs.get_queue_attributes(QueueUrl=local.urls["jobs"], AttributeNames=["All"])
    counts = [value for name, value in answer["Attributes"].items() if "NumberOfMessages" in name]
    return not any(int(count) for count in counts)


def checks(local: Local, jobs: list[Sample]) -> dict[str, bool]:
    """What must be true besides the outcome of each job."""
    expected = Counter(one.outcome for one in jobs)
    counted = {name: expected[name] for name in ("succeeded", "failed", "errored")}
    local.wait("the statistics", lambda: sum(stats(local)["invocations"].values()) >= len(jobs) - 1)
    local.wait("the queue to be empty", lambda: is_empty(local))
    dead = local.sqs.receive_message(QueueUrl=local.urls["jobs-dlq"], MaxNumberOfMessages=10)
    told = [line.split(",")[0] for line in (local.home / "triggered").read_text().splitlines()]
    over = {"past its life time", "killed over its life time"}
    return {
        "the statistics add up": stats(local)["invocations"] == counted,
        "two jobs with the same lock ran one at a time": (local.home / "pair").read_text().split()
        == ["begin", "end"] * 2,
        "the trigger ran for both jobs over their life time, and for no other": sorted(told)
        == sorted(f"job_id:{one.id}" for one in jobs if one.about in over),
        "the queue is empty": is_empty(local),
        "the invalid message is in the dead-letter queue": [
            message["Body"] for message in dead.get("Messages", [])
        ]
        == [INVALID],
    }


def show(console: Console, local: Local, jobs: list[Sample]) -> bool:
    """Print the jobs as a table. Returns whether each ended as expected."""
    table = Table("job", "expected", "seen", "reason", "", box=None, header_style="bold")
    endings, fine = local.endings(), True
    for one in jobs:
        seen = endings[one.id]
        right = seen["outcome"] == one.outcome and one.reason in seen["reason"]
        fine = fine and right
        table.add_row(one.about, one.outcome, seen["outcome"], seen["reason"], mark(right))
    console.print(table)
    return fine


def mark(right: bool) -> str:
    """The mark in a table row."""
    return "[green]ok[/]" if right else "[red]WRONG[/]"


def quickstart(console: Console, local: Local) -> bool:
    """Run everything. Returns whether all results are as expected."""
    console.print("sqsjkr-gevent local: an SQS, a DynamoDB and a kicker on this host")
    connect(local)
    console.print(f"config: {local.conf}\nsending jobs of every kind, a few seconds ...\n")
    jobs = run(local)
    found = checks(local, jobs)
    fine = show(console, local, jobs)
    console.print(f"\nGET /stats/metrics/v2  {json.dumps(stats(local))}\n", highlight=False)
    local.process.send_signal(signal.SIGTERM)
    found["SIGTERM ends it with exit code 0"] = local.process.wait(DEADLINE) == 0
    for what, right in found.items():
        console.print(f"{mark(right)}  {what}")
    return fine and all(found.values())


def main() -> int:
    """Returns exit code 0 if each job ended as expected. Otherwise returns 1 and keeps the log."""
    console, home = Console(), Path(tempfile.mkdtemp(prefix="sqsjkr-quickstart-"))
    local, fine = start(home), False
    try:
        fine = quickstart(console, local)
    finally:
        if local.process.poll() is None:
            local.process.kill()
            local.process.wait()
        if fine:
            shutil.rmtree(home)
        else:
            print(f"quickstart: some results are not as expected; the log is {home}/log")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
