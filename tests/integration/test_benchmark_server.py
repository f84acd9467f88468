"""The SQS and DynamoDB of scripts/bench: what a kicker sends them works, and is counted."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import boto3
import gevent
import pytest

from sqsjkr_gevent import Config
from sqsjkr_gevent.errors import AlreadyLocked, DuplicatedMessage, JobInProgress, LeaseLost
from sqsjkr_gevent.worker import Parts
from waiting import eventually

SOURCES = Path(__file__).parents[2] / "scripts" / "benchmarks" / "aws"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

KEY = {"Id": {"S": "x"}, "Type": {"S": "lock"}}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled server."""
    program = tmp_path_factory.mktemp("server") / "aws"
    sources = sorted(map(str, SOURCES.glob("*.c")))
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", program, *sources], check=True)
    return program


@pytest.fixture
def url(program, monkeypatch):
    """A running server, which all clients of this process call."""
    with subprocess.Popen([program, "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield url
        process.send_signal(signal.SIGTERM)


@pytest.fixture
def parts(url):
    """What a kicker is made of."""
    return Parts(Config.new(account_id="123456789012", region="us-east-1", queue_name="jobs"))


@pytest.fixture
def table(url):
    """A client of its DynamoDB."""
    return boto3.client("dynamodb", region_name="us-east-1")


def ask(url: str, path: str, **fields: object) -> dict:
    """A control request."""
    body = json.dumps(fields).encode()
    with urllib.request.urlopen(url + path, body, timeout=10) as answer:
        return json.loads(answer.read())


def fill(url: str, body: str, count: int) -> None:
    """Put messages into the queue."""
    ask(url, "/fill", queue="jobs", count=count, messages=[{"body": body, "md5": "x"}])


def execute(table, *statements: tuple[str, list[str | int]]) -> list[str | None]:
    """Execute PartiQL statements. Returns the code of each one's error."""
    batch = [
        {
            "Statement": text,
            "Parameters": [
                {"S": one} if isinstance(one, str) else {"N": str(one)} for one in parameters
            ],
        }
        for text, parameters in statements
    ]
    responses = table.batch_execute_statement(Statements=batch)["Responses"]
    return [response.get("Error", {}).get("Code") for response in responses]


def test_messages_are_received_once_and_come_back_until_they_are_deleted(url, parts):
    """As from a standard queue; the bodies arrive as they were sent."""
    body = json.dumps({"command": 'echo "hi\n\u00e9"'})
    fill(url, body, 12)
    parts.queue.open()
    ten, two = parts.queue.receive(10), parts.queue.receive(10)
    assert {body} == {message.body for message in ten + two}
    assert 12 == len({message.id for message in ten + two})
    parts.queue.change_visibility(ten[0], 0)
    for message in ten[1:]:
        parts.queue.delete(message)
    [again] = parts.queue.receive(10)
    assert (ten[0].id, 2) == (again.id, again.receive_count)


def test_a_long_poll_ends_with_the_message_that_arrives(url, parts):
    """And not before; the kicker's latency is measured so."""
    parts.queue.open()
    poll = gevent.spawn(parts.queue.receive, 10)
    eventually(lambda: ask(url, "/tell")["calls"].get("ReceiveMessage"))
    assert not poll.ready()
    fill(url, "{}", 1)
    assert 1 == len(poll.get(timeout=10))


def test_one_owner_has_a_lock_and_its_token_grows(parts):
    """Conditions are obeyed, as a benchmark of locks that all succeed would measure less."""
    locker = parts.stores.locker()
    locker.check()
    first = locker.acquire("L", "event", owner="a")
    with pytest.raises(AlreadyLocked):
        locker.acquire("L", "event", owner="b")
    locker.renew("L", "a")
    with pytest.raises(LeaseLost):
        locker.release("L", "b")
    locker.release("L", "a")
    assert locker.acquire("L", "event", owner="b") > first


def test_a_job_is_claimed_once_and_done_once(parts):
    """The throttler's rows, claims and marks."""
    throttler = parts.stores.throttler(3600.0)
    throttler.claim("J", owner="a")
    with pytest.raises(JobInProgress):
        throttler.claim("J", owner="b")
    throttler.renew("J", "a")
    throttler.done("J", "a")
    with pytest.raises(DuplicatedMessage):
        throttler.claim("J", owner="b")
    throttler.claim("K", owner="a")
    throttler.release("K", "a")
    assert throttler.claim("K", owner="b") is None


def test_statements_of_a_batch_succeed_and_fail_each_on_its_own(table):
    """The forms that gathered claims, locks, releases and renewals have."""
    insert = "INSERT INTO \"t\" VALUE {'Id': ?, 'Type': ?, 'Owner': ?, 'Version': ?}"
    renew = (
        'UPDATE "t" SET "Version" = "Version" + ? SET "Expired" = ?'
        ' WHERE "Id" = ? AND "Type" = ? AND "Owner" = ?'
    )
    take = (
        'UPDATE "t" SET "EventId" = ? REMOVE "Expired" REMOVE "FreeIn"'
        ' WHERE "Id" = ? AND "Type" = ? AND "EventId" IS MISSING AND "Version" = ?'
    )
    done = execute(
        table,
        (insert, ["x", "lock", "me", 1]),
        (insert, ["x", "lock", "other", 1]),
        (renew, [1, 99, "x", "lock", "me"]),
        (renew, [1, 99, "x", "lock", "other"]),
        (take, ["event", "x", "lock", 2]),
        (take, ["event", "x", "lock", 2]),
        (renew, [1, 99, "missing", "lock", "me"]),
        ("INSERT INTO \"t\" VALUE {'Type': ?}", ["lock"]),
    )
    failed = "ConditionalCheckFailed"
    assert [None, "DuplicateItem", None, failed, None, failed, failed, "ValidationError"] == done
    item = {"Owner": {"S": "me"}, "Version": {"N": "2"}, "EventId": {"S": "event"}, **KEY}
    assert item == table.get_item(TableName="t", Key=KEY)["Item"]


def test_it_tells_what_it_was_asked(url, parts, table):
    """The bench counts calls and deletes there, and reads what the server itself costs."""
    fill(url, "{}", 3)
    parts.queue.open()
    before = ask(url, "/tell")
    [message] = parts.queue.receive(1)
    parts.queue.delete(message)
    table.get_item(TableName="t", Key=KEY)
    after = ask(url, "/tell")
    calls = {
        name: count - before["calls"].get(name, 0)
        for name, count in after["calls"].items()
        if count > before["calls"].get(name, 0)
    }
    assert {"ReceiveMessage": 1, "DeleteMessageBatch": 1, "GetItem": 1} == calls
    assert (1, {"jobs": 2}) == (after["deleted"], after["waiting"])
    assert after["cpu"] > 0
