"""The simulation's SQS and DynamoDB behave as servers do: one suite, which all of them pass."""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from servers import create_queue, create_table
from simulation.dynamodb import DynamoDB
from simulation.sqs import Sqs, Surprises
from waiting import eventually

#: One call: an operation, and its arguments.
Call = Callable[..., dict[str, Any]]


@dataclass
class Services:
    """What is tested. queue: makes one, returns its URL and that of its dead-letter queue."""

    sqs: Call
    queue: Callable[..., tuple[str, str | None]]
    dynamodb: Call
    table: str


def simulated(request: pytest.FixtureRequest) -> Services:
    """The simulation's, without surprises, by the real clock."""
    sqs = Sqs(time.time, random.Random(1), Surprises())

    def queue(*, fifo: bool = False, receives: int | None = None) -> tuple[str, str | None]:
        name = "q.fifo" if fifo else "q"
        if receives is None:
            return sqs.create(name).url, None
        dead = sqs.create(f"dead-{name}")
        return sqs.create(name, dead, receives).url, dead.url

    table = DynamoDB("t")
    return Services(
        lambda operation, **arguments: sqs.call(operation, arguments),
        queue,
        lambda operation, **arguments: table.call(operation, arguments),
        "t",
    )


def served(name: str) -> Callable[[pytest.FixtureRequest], Services]:
    """A server's, over HTTP."""

    def services(request: pytest.FixtureRequest) -> Services:
        aws = request.getfixturevalue("servers").get(name)
        table = create_table(aws)
        request.addfinalizer(table.drop)

        def queue(*, fifo: bool = False, receives: int | None = None) -> tuple[str, str | None]:
            made = create_queue(aws, fifo=fifo, max_receive_count=receives)
            request.addfinalizer(made.drop)
            return made.url, made.dead_letters and made.dead_letters.url

        return Services(
            lambda operation, **arguments: getattr(aws.sqs, operation)(**arguments),
            queue,
            lambda operation, **arguments: getattr(aws.dynamodb, operation)(**arguments),
            table.name,
        )

    return services


OVER = {"simulated": simulated, "ministack": served("ministack"), "moto": served("moto")}


@pytest.fixture(params=OVER)
def services(request: pytest.FixtureRequest) -> Services:
    """Each in turn."""
    return OVER[request.param](request)


def code_of(call: Callable[[], Any]) -> str:
    """The code of the error that a call raises."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def send(services: Services, url: str, body: str, group: str | None = None) -> str:
    """Send a message; returns its id."""
    place = {}
    if group is not None:
        place = {"MessageGroupId": group, "MessageDeduplicationId": uuid.uuid4().hex}
    answer = services.sqs("send_message", QueueUrl=url, MessageBody=body, **place)
    return str(answer["MessageId"])


def receive(services: Services, url: str, hidden: int = 30, most: int = 10) -> list[dict[str, Any]]:
    """What is visible now."""
    answer = services.sqs(
        "receive_message",
        QueueUrl=url,
        MaxNumberOfMessages=most,
        VisibilityTimeout=hidden,
        WaitTimeSeconds=0,
        MessageSystemAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def change(services: Services, url: str, handle: str, seconds: int) -> dict[str, Any]:
    """One change of a visibility timeout, as a batch; returns the entry of the response."""
    answer = services.sqs(
        "change_message_visibility_batch",
        QueueUrl=url,
        Entries=[{"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": seconds}],
    )
    [entry] = [*answer.get("Successful", []), *answer.get("Failed", [])]
    return entry


def test_a_received_message_is_hidden_until_its_timeout_ends(services):
    """Then it comes again, under a new handle, with its receives counted."""
    url, _ = services.queue()
    sent = send(services, url, "a")
    [first] = receive(services, url, hidden=1)
    assert [] == receive(services, url)
    [again] = eventually(lambda: receive(services, url))
    assert [sent, sent] == [first["MessageId"], again["MessageId"]]
    assert first["ReceiptHandle"] != again["ReceiptHandle"]
    assert "2" == again["Attributes"]["ApproximateReceiveCount"]


def test_a_changed_timeout_counts_from_the_change(services):
    """0 makes the message visible at once."""
    url, _ = services.queue()
    send(services, url, "a")
    [message] = receive(services, url, hidden=1)
    assert "Code" not in change(services, url, message["ReceiptHandle"], 30)
    time.sleep(1.2)  # The first timeout is over by now.
    assert [] == receive(services, url)
    assert "Code" not in change(services, url, message["ReceiptHandle"], 0)
    assert message["MessageId"] == receive(services, url)[0]["MessageId"]


def test_a_deleted_message_is_gone_and_can_be_deleted_no_more_by_anything(services):
    """A handle that is none is refused."""
    url, _ = services.queue()
    send(services, url, "a")
    [message] = receive(services, url, hidden=1)
    entries = [
        {"Id": "0", "ReceiptHandle": message["ReceiptHandle"]},
        {"Id": "1", "ReceiptHandle": "no handle"},
    ]
    answer = services.sqs("delete_message_batch", QueueUrl=url, Entries=entries)
    assert ["0"] == [entry["Id"] for entry in answer["Successful"]]
    assert ["1"] == [entry["Id"] for entry in answer["Failed"]]
    time.sleep(1.2)
    assert [] == receive(services, url)


def test_a_message_received_too_often_moves_to_the_dead_letter_queue(services):
    """At the receive after the last one that is allowed."""
    url, dead = services.queue(receives=2)
    sent = send(services, url, "a")
    for _ in range(2):
        [message] = receive(services, url)
        change(services, url, message["ReceiptHandle"], 0)
    assert [] == receive(services, url)
    assert [sent] == [one["MessageId"] for one in eventually(lambda: receive(services, dead))]


def test_a_group_waits_for_its_message_in_flight(services):
    """Other groups do not, and the order within a group stands."""
    url, _ = services.queue(fifo=True)
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        send(services, url, body, group)
    [first] = receive(services, url, most=1)
    assert ["a1", "b1"] == [first["Body"], *[one["Body"] for one in receive(services, url)]]
    services.sqs("delete_message", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert ["a2"] == [one["Body"] for one in receive(services, url)]


def test_a_queue_that_does_not_exist_is_an_error(services):
    """By a code that the kicker knows."""
    code = code_of(lambda: services.sqs("get_queue_url", QueueName="no-such-queue"))
    assert "AWS.SimpleQueueService.NonExistentQueue" == code


KEY = {"Id": {"S": "L"}, "Type": {"S": "lock"}}


def update(services: Services, change: str, condition: str, **values: Any) -> dict[str, Any]:
    """One conditional update, as the stores make them."""
    given = {f":{name}": value for name, value in values.items()}
    return services.dynamodb(
        "update_item",
        TableName=services.table,
        Key=KEY,
        UpdateExpression=change,
        ConditionExpression=condition,
        ReturnValues="UPDATED_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
        **({"ExpressionAttributeValues": given} if given else {}),
        **({"ExpressionAttributeNames": {"#O": "Owner"}} if "#O" in change + condition else {}),
    )


def row(services: Services) -> dict[str, Any]:
    """The row as it is."""
    got = services.dynamodb("get_item", TableName=services.table, Key=KEY, ConsistentRead=True)
    found: dict[str, Any] = got.get("Item", {})
    return found


def test_a_conditional_update_makes_changes_and_refuses(services):
    """It answers with what it set; a refusal carries the row as it is."""
    take = "SET EventId = :e, #O = :o, Num = if_not_exists(Num, :now) + :one REMOVE Expired"
    values = {"e": {"S": "ev"}, "o": {"S": "me"}, "now": {"N": "41"}, "one": {"N": "1"}}
    answer = update(services, take, "attribute_not_exists(EventId)", **values)
    written = {"EventId": {"S": "ev"}, "Owner": {"S": "me"}, "Num": {"N": "42"}}
    # moto answers with the key as well.
    assert written == {name: answer["Attributes"][name] for name in written}
    with pytest.raises(ClientError) as caught:
        update(services, take, "attribute_not_exists(EventId)", **values)
    assert "ConditionalCheckFailedException" == caught.value.response["Error"]["Code"]
    assert row(services) == caught.value.response["Item"]
    update(
        services, "SET Num = Num + :one", "#O = :o AND Num > :one", one={"N": "1"}, o={"S": "me"}
    )
    assert {**KEY, "EventId": {"S": "ev"}, "Owner": {"S": "me"}, "Num": {"N": "43"}} == row(
        services
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(EventId)", True),
        ("attribute_not_exists(Gone)", True),
        ("Num < :n", False),
        ("Num <= :n AND Num >= :n", True),
        ("Num = :n OR attribute_exists(Gone)", True),
        ("NOT Num = :n", False),
        ("Gone = :n", False),
        ("attribute_not_exists(Gone) AND (Num <> :n OR Gone = :n)", False),
    ],
)
def test_conditions_are_judged_alike(services, condition, holds):
    """Over a row with EventId and Num = 5."""
    update(services, "SET EventId = :e, Num = :n", "attribute_not_exists(Id)",
           e={"S": "ev"}, n={"N": "5"})  # fmt: skip
    values = {"n": {"N": "5.0"}} if ":n" in condition else {}

    def judged() -> None:
        update(services, "REMOVE Nothing", condition, **values)

    if holds:
        judged()
    else:
        assert "ConditionalCheckFailedException" == code_of(judged)


def test_a_delete_asks_its_condition(services):
    """A row that is not there fulfils none that names an attribute."""
    arguments = {
        "TableName": services.table,
        "Key": KEY,
        "ConditionExpression": "#O = :o",
        "ExpressionAttributeNames": {"#O": "Owner"},
        "ExpressionAttributeValues": {":o": {"S": "me"}},
    }
    failed = "ConditionalCheckFailedException"
    assert failed == code_of(lambda: services.dynamodb("delete_item", **arguments))
    update(services, "SET #O = :o", "attribute_not_exists(Id)", o={"S": "me"})
    services.dynamodb("delete_item", **arguments)
    assert {} == row(services)


def test_a_table_that_does_not_exist_is_an_error(services):
    """By a code that the kicker knows."""
    code = code_of(lambda: services.dynamodb("get_item", TableName="none", Key=KEY))
    assert "ResourceNotFoundException" == code


#: Statements of the stores, run in order over one table; what becomes of each.
STATEMENTS = [
    ("INSERT INTO \"{}\" VALUE {{'Id': ?, 'Type': ?, 'Owner': ?, 'Version': ?}}",
     ["L", "lock", "me", 1], None),
    ("INSERT INTO \"{}\" VALUE {{'Id': ?, 'Type': ?, 'Owner': ?, 'Version': ?}}",
     ["L", "lock", "you", 1], "DuplicateItem"),
    ('UPDATE "{}" SET "Version" = "Version" + ? WHERE "Id" = ? AND "Type" = ? AND "Owner" = ?',
     [1, "L", "lock", "you"], "ConditionalCheckFailed"),
    ('UPDATE "{}" SET "Version" = "Version" + ? WHERE "Id" = ? AND "Type" = ? AND "Owner" = ?',
     [1, "L", "lock", "me"], None),
    ('UPDATE "{}" SET "EventId" = ? SET "Token" = ? REMOVE "Gone" WHERE "Id" = ?'  # noqa: ISC004
     ' AND "Type" = ? AND "EventId" IS MISSING AND "Version" = ?', ["ev", 7, "L", "lock", 2], None),
    ('UPDATE "{}" SET "EventId" = ? WHERE "Id" = ? AND "Type" = ? AND "EventId" IS MISSING',
     ["ev", "L", "lock"], "ConditionalCheckFailed"),
    ('UPDATE "{}" SET "Version" = ? WHERE "Id" = ? AND "Type" = ? AND "Owner" = ?',
     [1, "none", "lock", "me"], "ConditionalCheckFailed"),
]  # fmt: skip


def test_statements_are_carried_out_alike(request):
    """moto is left out: of a statement that is refused it says nothing, and it writes."""
    for over in (simulated, served("ministack")):
        services = over(request)
        outcomes = []
        for text, given, _ in STATEMENTS:
            parameters = [{"S": one} if isinstance(one, str) else {"N": str(one)} for one in given]
            statement = {"Statement": text.format(services.table), "Parameters": parameters}
            answer = services.dynamodb("batch_execute_statement", Statements=[statement])
            outcomes.append(answer["Responses"][0].get("Error", {}).get("Code"))
        assert [expected for *_, expected in STATEMENTS] == outcomes
        kept = {"Owner": {"S": "me"}, "Version": {"N": "2"}, "EventId": {"S": "ev"}}
        assert {**KEY, **kept, "Token": {"N": "7"}} == row(services)
