"""The servers that the other tests stand on."""

import os
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from botocore.exceptions import ClientError
from gevent.event import Event

from servers import Aws, Queue, Servers, Table, answers, start_ministack, start_moto
from waiting import eventually

#: Races for a lock, and how many run in each.
RACES = 300
RACERS = 6

both = pytest.mark.servers("ministack", "moto")


@both
@pytest.mark.queue(visibility_timeout=2)
def test_a_message_is_sent_received_and_deleted(queue: Queue) -> None:
    """One message goes in and comes out; afterwards the queue is empty."""
    sent = queue.send({"command": "true"})

    [message] = queue.receive(wait=5)

    assert sent == message["MessageId"]
    assert '{"command": "true"}' == message["Body"]
    assert {"visible": 0, "in_flight": 1, "delayed": 0} == queue.counts()

    queue.delete(message)

    assert queue.is_empty()


@both
@pytest.mark.queue(visibility_timeout=0, max_receive_count=1)
def test_a_message_received_too_often_moves_to_the_dead_letter_queue(queue: Queue) -> None:
    """A queue made with max_receive_count has a dead-letter queue that works."""
    assert queue.dead_letters is not None
    sent = queue.send("a")
    queue.receive(wait=5)

    def dead() -> list[str]:
        assert queue.dead_letters is not None
        queue.receive()
        return [message["MessageId"] for message in queue.dead_letters.receive()]

    assert [sent] == eventually(dead)


@pytest.mark.servers("moto")
def test_the_local_server_says_at_once_that_it_knows_no_statements(aws: Aws, table: Table) -> None:
    """A status of 500 is tried again, which takes seconds of the start of `local`."""
    statement = f"INSERT INTO \"{table.name}\" VALUE {{'Id': 'a', 'Type': 'lock'}}"
    with pytest.raises(ClientError, match="UnknownOperationException"):
        aws.dynamodb.batch_execute_statement(Statements=[{"Statement": statement}])


@both
def test_of_two_conditional_updates_the_second_fails(aws: Aws, table: Table) -> None:
    """The condition that locks rest on is judged by the server, which hands back the old row."""
    update = {
        "TableName": table.name,
        "Key": {"Id": {"S": "L1"}, "Type": {"S": "lock"}},
        "UpdateExpression": "SET EventId = :event",
        "ConditionExpression": "attribute_not_exists(EventId)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    aws.dynamodb.update_item(**update, ExpressionAttributeValues={":event": {"S": "first"}})
    with pytest.raises(aws.dynamodb.exceptions.ConditionalCheckFailedException) as caught:
        aws.dynamodb.update_item(**update, ExpressionAttributeValues={":event": {"S": "second"}})

    row = {"Id": {"S": "L1"}, "Type": {"S": "lock"}, "EventId": {"S": "first"}}
    assert row == caught.value.response["Item"]
    assert row == table.row("L1", "lock")
    assert [row] == table.rows()


def test_of_racing_conditional_updates_exactly_one_wins(aws: Aws, table: Table) -> None:
    """What the tests say of overlaps rests on this; moto's updates are not atomic, so none may
    rest on moto.
    """
    clients = [aws.client("dynamodb") for _ in range(RACERS)]

    def race(number: int) -> list[int]:
        """Who of them wins."""
        go, winners = Event(), []

        def run(racer: int) -> None:
            go.wait()
            try:
                clients[racer].update_item(
                    TableName=table.name,
                    Key={"Id": {"S": f"L{number}"}, "Type": {"S": "lock"}},
                    UpdateExpression="SET EventId = :event",
                    ConditionExpression="attribute_not_exists(EventId)",
                    ExpressionAttributeValues={":event": {"S": str(racer)}},
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                return
            winners.append(racer)

        racing = [gevent.spawn(run, racer) for racer in range(RACERS)]
        go.set()
        gevent.joinall(racing, raise_error=True)
        return winners

    assert [1] * RACES == [len(race(number)) for number in range(RACES)]


def test_moto_ends_when_its_stdin_ends(tmp_path: Path) -> None:
    """The local server needs no kill: it exits 0 once the parent's end of the pipe is closed."""
    server = start_moto(tmp_path)
    try:
        assert server.process.stdin is not None
        server.process.stdin.close()

        assert 0 == server.process.wait(10)
        assert "" == server.log_from(0)
    finally:
        server.stop()


def test_ministack_ends_when_its_stdin_ends(tmp_path: Path) -> None:
    """The guard takes ministack with it, so that a pytest that is killed leaves no server."""
    server = start_ministack(tmp_path)
    try:
        assert server.process.stdin is not None
        server.process.stdin.close()

        server.process.wait(10)
        eventually(lambda: not answers(server.port))
    finally:
        server.stop()


def test_local_server_without_moto_says_what_to_install(tmp_path: Path) -> None:
    """No traceback: one line on stderr and exit code 2."""
    (tmp_path / "moto.py").write_text("raise ImportError('no moto here')\n")

    done = subprocess.run(
        [sys.executable, "-m", "sqsjkr_gevent.local.server"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert 2 == done.returncode
    assert "" == done.stdout
    assert 1 == len(done.stderr.splitlines())
    assert 'pip install "sqsjkr-gevent[local]"' in done.stderr


def test_servers_are_started_once(servers: Servers) -> None:
    """All tests of a run share one server of a name."""
    assert servers.get("ministack") is servers.get("ministack")
