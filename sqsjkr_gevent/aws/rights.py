"""The permissions that a kicker uses, and what it costs to be without one: the one table of them.

By this table a start fails or warns, `sqsjkr-gevent check` looks, and the docs are checked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .client import CallError, Client, is_denied, is_refusal

#: Named in looks: a receipt handle that nobody has, and the key of a row that nobody writes.
_NOTHING = "sqsjkr-gevent check"
_NO_ROW = {"Id": {"S": _NOTHING}, "Type": {"S": "lock"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One permission.

    action: as policies name it. lack: what its lack costs, after "so". needed: whether the kicker
    is of no use without it.
    operation, arguments: a call that needs the permission and changes nothing; arguments is given
    the URL of the queue, or the name of the table. None where there is no such call.
    """

    action: str
    lack: str
    needed: bool = False
    operation: str | None = None
    arguments: Callable[[str], dict[str, Any]] = lambda where: {"TableName": where}


def look(client: Client, right: Right, where: str) -> None:
    """Make the call that changes nothing.

    Raises what botocore raises where it is denied, where the service fails, and where the queue
    or the table does not exist.
    """
    assert right.operation is not None
    try:
        client.call(right.operation, expected=is_refusal, **right.arguments(where))
    except CallError as error:
        if not is_refusal(error):
            raise


def is_allowed(client: Client, right: Right, where: str) -> bool:
    """Whether the permission is there. Raises as look() does."""
    try:
        look(client, right, where)
    except CallError as error:
        if is_denied(error):
            return False
        raise
    return True


def needed(rights: Iterable[Right]) -> str:
    """The names of those that the kicker cannot do without."""
    return ", ".join(right.action for right in rights if right.needed)


def _name_of(url: str) -> dict[str, Any]:
    owner, name = url.rsplit("/", 2)[1:]
    return {"QueueName": name, "QueueOwnerAWSAccountId": owner}


RECEIVE_MESSAGE = Right(
    action="sqs:ReceiveMessage",
    needed=True,
    lack="no message is received",
    # No call: what does not receive may be refused before anybody looks at the permission.
)
DELETE_MESSAGE = Right(
    action="sqs:DeleteMessage",
    needed=True,
    lack="each message comes back after its job",
    operation="delete_message",
    arguments=lambda url: {"QueueUrl": url, "ReceiptHandle": _NOTHING},
)
CHANGE_VISIBILITY = Right(
    action="sqs:ChangeMessageVisibility",
    needed=True,
    lack="a message becomes visible to other hosts while its job runs",
    operation="change_message_visibility",
    arguments=lambda url: {
        "QueueUrl": url,
        "ReceiptHandle": _NOTHING,
        "VisibilityTimeout": 0,
    },
)
GET_QUEUE_URL = Right(
    action="sqs:GetQueueUrl",
    lack="the queue's URL is put together from endpoint, account and name",
    operation="get_queue_url",
    arguments=_name_of,
)
GET_QUEUE_ATTRIBUTES = Right(
    action="sqs:GetQueueAttributes",
    lack="the RedrivePolicy is not known (set sqs.dead_letter_queue), done jobs are remembered "
    "for 14 days, and the depth of the queue is not shown",
    operation="get_queue_attributes",
    arguments=lambda url: {"QueueUrl": url, "AttributeNames": ["QueueArn"]},
)
QUEUE_RIGHTS = (
    RECEIVE_MESSAGE,
    DELETE_MESSAGE,
    CHANGE_VISIBILITY,
    GET_QUEUE_URL,
    GET_QUEUE_ATTRIBUTES,
)

SEND_MESSAGE = Right(
    action="sqs:SendMessage",
    lack="invalid messages and jobs out of attempts stay in the queue and come back",
    operation="send_message_batch",
    arguments=lambda url: {"QueueUrl": url, "Entries": []},
)
DEAD_LETTER_RIGHTS = (
    SEND_MESSAGE,
    Right(
        action="sqs:GetQueueAttributes",
        lack="the number of dead letters is not shown",
        operation="get_queue_attributes",
        arguments=lambda url: {"QueueUrl": url, "AttributeNames": ["QueueArn"]},
    ),
)

UPDATE_ITEM = Right(
    action="dynamodb:UpdateItem",
    needed=True,
    lack="no job is claimed or locked, and none runs",
    operation="update_item",
    arguments=lambda table: {
        "TableName": table,
        "Key": _NO_ROW,
        "UpdateExpression": "REMOVE EventId",
        "ConditionExpression": "attribute_exists(Id) AND attribute_not_exists(Id)",
    },
)
GET_ITEM = Right(
    action="dynamodb:GetItem",
    lack="the table is looked at by a conditional write that changes nothing, and "
    "`locks release` does not work",
    operation="get_item",
    arguments=lambda table: {"TableName": table, "Key": _NO_ROW},
)
BATCH_WRITE_ITEM = Right(
    action="dynamodb:BatchWriteItem",
    lack="each job that is done costs one UpdateItem more",
    operation="batch_write_item",
    arguments=lambda table: {"RequestItems": {table: [{"DeleteRequest": {"Key": _NO_ROW}}]}},
)
SCAN = Right(
    action="dynamodb:Scan",
    lack="the command `locks` cannot list them",
    operation="scan",
    arguments=lambda table: {"TableName": table, "Limit": 1},
)
DESCRIBE_TABLE = Right(
    action="dynamodb:DescribeTable",
    lack="`check` knows neither key nor index",
    operation="describe_table",
)
DESCRIBE_TIME_TO_LIVE = Right(
    action="dynamodb:DescribeTimeToLive",
    lack="`check` cannot tell whether old rows are removed",
    operation="describe_time_to_live",
)
TABLE_RIGHTS = (
    UPDATE_ITEM,
    Right(
        action="dynamodb:DeleteItem",
        lack="a job that goes back runs again only once the lease of its claim has lapsed",
        operation="delete_item",
        arguments=lambda table: {
            "TableName": table,
            "Key": _NO_ROW,
            "ConditionExpression": "attribute_exists(Id) AND attribute_not_exists(Id)",
        },
    ),
    GET_ITEM,
    BATCH_WRITE_ITEM,
    SCAN,
    DESCRIBE_TABLE,
    DESCRIBE_TIME_TO_LIVE,
)
