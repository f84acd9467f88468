"""Real servers for tests: SQS and DynamoDB over HTTP, each a child process on loopback.

A child ends with pytest, even if pytest is killed: pytest holds the other end of its stdin pipe.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from waiting import eventually

ROOT = Path(__file__).resolve().parent.parent
MINISTACK = Path(
    os.environ.get("SQSJKR_TEST_MINISTACK") or ROOT / ".servers" / "ministack" / "bin" / "ministack"
)

REGION = "us-east-1"
ACCESS_KEY = "test"
SECRET_KEY = "test"
#: moto's account is fixed; ministack is set to the same one.
ACCOUNT_ID = "123456789012"

#: How long a server may take to respond, in seconds.
START_DEADLINE = 30.0

# Runs "$0" "$@" until it ends or stdin is closed, then kills the whole process group.
GUARD = '{ "$0" "$@" </dev/null; kill -KILL 0; } & read -r _; kill -KILL 0'


class Server:
    """A running server process with its log file."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.name = name
        self.process = process
        self.port = port
        self.log = log
        self.endpoint_url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Kill the server and all its processes."""
        kill_group(self.process)

    def log_from(self, position: int, most: int = 4000) -> str:
        """The last `most` characters that the server logged after this position."""
        with self.log.open("rb") as file:
            file.seek(position)
            return file.read().decode(errors="replace")[-most:]


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and the process group that it leads, and wait for its end."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def free_port() -> int:
    """A loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a process listens on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_ministack(directory: Path) -> Server:
    """Start ministack; its log goes to a file in directory."""
    if not MINISTACK.exists():
        raise FileNotFoundError(f"no ministack in {MINISTACK}: run scripts/test-servers")
    port = free_port()
    log = directory / f"ministack-{port}.log"
    environment = {
        **os.environ,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "SERVICES": "sqs,dynamodb",
        "TMPDIR": str(directory),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", GUARD, str(MINISTACK)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    server = Server("ministack", process, port, log)

    def listens() -> bool:
        assert process.poll() is None, "the server has ended"
        return answers(port)

    return started(server, listens)


def start_moto(directory: Path) -> Server:
    """Start moto as local mode does; its log goes to a file in directory."""
    log = directory / f"moto-{uuid.uuid4().hex[:8]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sqsjkr_gevent.local.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        kill_group(process)
        raise RuntimeError(f"moto did not start: {log.read_text()}")
    return Server("moto", process, json.loads(line)["port"], log)


def started(server: Server, ready: Any) -> Server:
    """Return the server once it is ready. Otherwise stop it and raise an error with its log."""
    try:
        eventually(ready, deadline=START_DEADLINE)
    except AssertionError as late:
        server.stop()
        raise RuntimeError(f"{server.name} did not start: {late}\n{server.log_from(0)}") from late
    return server


STARTERS = {"ministack": start_ministack, "moto": start_moto}


@dataclass(frozen=True)
class Aws:
    """One server as a test sees it: its address, and a client for each service."""

    server: Server
    endpoint_url: str
    sqs: Any
    dynamodb: Any
    region: str = REGION
    account_id: str = ACCOUNT_ID
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def env(self) -> dict[str, str]:
        """The environment for a child process that uses this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
        }

    def client(self, service: str, **options: Any) -> Any:
        """A new client, by default with short timeouts and without retries."""
        options = {
            "connect_timeout": 5,
            "read_timeout": 30,
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": 50,
            **options,
        }
        return boto3.session.Session().client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(**options),
        )


def connect(server: Server) -> Aws:
    """The clients of a server."""
    bare = Aws(server, server.endpoint_url, None, None)
    return Aws(server, server.endpoint_url, bare.client("sqs"), bare.client("dynamodb"))


@dataclass
class Servers:
    """The servers of one test run, each started at its first use."""

    directory: Path
    running: dict[str, Aws] = field(default_factory=dict)

    def get(self, name: str) -> Aws:
        """The server of this name, ministack or moto."""
        if name not in self.running:
            self.running[name] = connect(STARTERS[name](self.directory))
        return self.running[name]

    def stop(self) -> None:
        """Stop all of them."""
        for aws in self.running.values():
            aws.server.stop()


@dataclass(frozen=True)
class Queue:
    """A queue of one test."""

    sqs: Any
    name: str
    url: str
    arn: str
    dead_letters: "Queue | None" = None

    def send(self, body: Any, **options: Any) -> str:
        """Send a text, or any other value as JSON. Returns the message id."""
        text = body if isinstance(body, str) else json.dumps(body)
        answer = self.sqs.send_message(QueueUrl=self.url, MessageBody=text, **options)
        return str(answer["MessageId"])

    def receive(self, wait: int = 0, most: int = 10, **options: Any) -> list[dict[str, Any]]:
        """Call ReceiveMessage once, with all attributes. Returns the messages."""
        options = {
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
            "WaitTimeSeconds": wait,
            "MaxNumberOfMessages": most,
            **options,
        }
        answer = self.sqs.receive_message(QueueUrl=self.url, **options)
        return list(answer.get("Messages", []))

    def delete(self, message: dict[str, Any]) -> None:
        """Delete a received message."""
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def counts(self) -> dict[str, int]:
        """How many messages are visible, in flight and delayed, as the server counts them."""
        names = {
            "visible": "ApproximateNumberOfMessages",
            "in_flight": "ApproximateNumberOfMessagesNotVisible",
            "delayed": "ApproximateNumberOfMessagesDelayed",
        }
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.url, AttributeNames=list(names.values())
        )
        return {key: int(answer["Attributes"][name]) for key, name in names.items()}

    def is_empty(self) -> bool:
        """Whether the queue has no messages, in any state."""
        return not any(self.counts().values())

    def drop(self) -> None:
        """Delete the queue and its dead-letter queue."""
        self.sqs.delete_queue(QueueUrl=self.url)
        if self.dead_letters is not None:
            self.dead_letters.drop()


def create_queue(
    aws: Aws,
    visibility_timeout: int = 30,
    max_receive_count: int | None = None,
    fifo: bool = False,
    **attributes: str,
) -> Queue:
    """Create a queue with a unique name.

    visibility_timeout: seconds.
    max_receive_count: if set, the queue gets a dead-letter queue, `dead_letters`.
    attributes: further attributes, named as in SQS.
    """
    name = f"jobs-{uuid.uuid4().hex[:12]}" + (".fifo" if fifo else "")
    settings = {"VisibilityTimeout": str(visibility_timeout), **attributes}
    if fifo:
        settings["FifoQueue"] = "true"
    dead_letters = None
    if max_receive_count is not None:
        dead_letters = create_queue(aws, fifo=fifo)
        settings["RedrivePolicy"] = json.dumps(
            {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": str(max_receive_count)}
        )
    url = aws.sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
    answer = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Queue(aws.sqs, name, url, answer["Attributes"]["QueueArn"], dead_letters)


@dataclass(frozen=True)
class Table:
    """A lock and throttle table of one test."""

    dynamodb: Any
    name: str

    def rows(self) -> list[dict[str, Any]]:
        """All rows, with DynamoDB's types."""
        return list(self.dynamodb.scan(TableName=self.name, ConsistentRead=True)["Items"])

    def row(self, id_: str, type_: str) -> dict[str, Any] | None:
        """One row; type_ is lock or throttle."""
        key = {"Id": {"S": id_}, "Type": {"S": type_}}
        answer = self.dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True)
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def drop(self) -> None:
        """Delete the table."""
        self.dynamodb.delete_table(TableName=self.name)


def create_table(aws: Aws, name: str | None = None) -> Table:
    """Create a table as users of sqsjkr have it, by default with a unique name."""
    name = name or f"sqsjkr-{uuid.uuid4().hex[:12]}"
    aws.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "Id", "KeyType": "HASH"},
            {"AttributeName": "Type", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "Id", "AttributeType": "S"},
            {"AttributeName": "Type", "AttributeType": "S"},
            {"AttributeName": "Expired", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "TypeExpiredIndex",
                "KeySchema": [
                    {"AttributeName": "Type", "KeyType": "HASH"},
                    {"AttributeName": "Expired", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )

    def active() -> bool:
        table = aws.dynamodb.describe_table(TableName=name)["Table"]
        return bool(table["TableStatus"] == "ACTIVE")

    eventually(active)
    aws.dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "Expired"}
    )
    return Table(aws.dynamodb, name)
