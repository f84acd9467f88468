"""The permissions that a kicker uses, and what each missing one costs.

The start, `sqsjkr-gevent check` and a test of the docs all use this one table.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from .client import WRONG_SHAPE, CallError, Client, error_code, is_denied, is_refusal

#: For calls that must change nothing: a receipt handle that does not exist, the key of a row that
#: does not exist, and a condition that never holds.
_NO_HANDLE = "sqsjkr-gevent check"
_NO_ROW = {"Id": {"S": _NO_HANDLE}, "Type": {"S": "lock"}}
_NEVER = "attribute_exists(Id) AND attribute_not_exists(Id)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One permission.

    action: as policies name it. lack: what happens without it, as a clause after "so".
    needed: whether the kicker cannot work without it.
    operation, arguments: a call that needs the permission and changes nothing; None if there is
    none. arguments takes the URL of the queue, or the name of the table.
    refused_with: if the call is a statement, the codes of the error that it ends with where it is
    allowed and understood.
    """

    action: str
    lack: str
    needed: bool = False
    operation: str | None = None
    arguments: Callable[[str], dict[str, Any]] = lambda where: {"TableName": where}
    refused_with: frozenset[str] = frozenset()


def try_right(
    client: Client,
    right: Right,
    where: str,
    expected: Callable[[Exception], bool] = is_refusal,
) -> None:
    """Make the call that needs the permission and changes nothing.

    where: the URL of the queue, or the name of the table. expected: as in Client.call(). Raises
    what botocore raises if the call is denied, the service fails, or the queue or table does not
    exist.
    """
    assert right.operation is not None
    try:
        response = client.call(right.operation, expected=expected, **right.arguments(where))
    except CallError as error:
        if not _is_as_meant(right, error):
            raise
        return
    for one in response.get("Responses", ()):
        refused = ClientError(one, right.operation)
        if not _is_as_meant(right, refused):
            raise refused


def _is_as_meant(right: Right, error: Exception) -> bool:
    if right.refused_with:
        return error_code(error) in right.refused_with
    return is_refusal(error)


def is_allowed(client: Client, right: Right, where: str) -> bool:
    """Whether the permission is granted. Raises as try_right() does, but not for a denied call."""
    try:
        try_right(client, right, where)
    except CallError as error:
        if is_denied(error):
            return False
        raise
    return True


def needed(rights: Iterable[Right]) -> str:
    """The names of the required permissions."""
    return ", ".join(right.action for right in rights if right.needed)


def _name_of(url: str) -> dict[str, Any]:
    owner, name = url.rsplit("/", 2)[1:]
    return {"QueueName": name, "QueueOwnerAWSAccountId": owner}


RECEIVE_MESSAGE = Right(
    action="sqs:ReceiveMessage",
    needed=True,
    lack="no message is received",
    # No call: SQS may reject a receive with wrong arguments before it checks the permission.
)
DELETE_MESSAGE = Right(
    action="sqs:DeleteMessage",
    needed=True,
    lack="each message comes back after its job",
    operation="delete_message",
    arguments=lambda url: {"QueueUrl": url, "ReceiptHandle": _NO_HANDLE},
)
CHANGE_VISIBILITY = Right(
    action="sqs:ChangeMessageVisibility",
    needed=True,
    lack="a message becomes visible to other hosts while its job runs",
    operation="change_message_visibility",
    arguments=lambda url: {
        "QueueUrl": url,
        "ReceiptHandle": _NO_HANDLE,
        "VisibilityTimeout": 0,
    },
)
GET_QUEUE_URL = Right(
    action="sqs:GetQueueUrl",
    lack="the queue's URL is composed from endpoint, account and name",
    operation="get_queue_url",
    arguments=_name_of,
)
GET_QUEUE_ATTRIBUTES = Right(
    action="sqs:GetQueueAttributes",
    lack="the RedrivePolicy is unknown (set sqs.dead_letter_queue), done jobs are remembered "
    "for 14 days, and the queue's depth is not shown",
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
    replace(GET_QUEUE_ATTRIBUTES, lack="the number of dead letters is not shown"),
)

UPDATE_ITEM = Right(
    action="dynamodb:UpdateItem",
    needed=True,
    lack="no job can be claimed or locked, and none runs",
    operation="update_item",
    arguments=lambda table: {
        "TableName": table,
        "Key": _NO_ROW,
        "UpdateExpression": "REMOVE EventId",
        "ConditionExpression": _NEVER,
    },
)
GET_ITEM = Right(
    action="dynamodb:GetItem",
    lack="the table is checked by a conditional write that changes nothing, and "
    "`locks release` does not work",
    operation="get_item",
    arguments=lambda table: {"TableName": table, "Key": _NO_ROW},
)

_NO_STATEMENTS = "each claim, lock, renewal and done mark costs a call of its own"


def _statement(text: str, *parameters: dict[str, str]) -> dict[str, Any]:
    return {"Statements": [{"Statement": text, "Parameters": list(parameters)}]}


PARTIQL_UPDATE = Right(
    action="dynamodb:PartiQLUpdate",
    lack=_NO_STATEMENTS,
    operation="batch_execute_statement",
    # Has all that the stores' statements have. There is no such row, and no UPDATE makes one.
    arguments=lambda table: _statement(
        f'UPDATE "{table}" SET "Version" = "Version" + ? REMOVE "EventId"'  # noqa: S608 (of the config)
        ' WHERE "Id" = ? AND "Type" = ? AND "EventId" IS MISSING AND "Owner" = ?',
        {"N": "1"},
        *_NO_ROW.values(),
        {"S": _NO_HANDLE},
    ),
    refused_with=frozenset({"ConditionalCheckFailed"}),
)
PARTIQL_INSERT = Right(
    action="dynamodb:PartiQLInsert",
    lack=_NO_STATEMENTS,
    operation="batch_execute_statement",
    # A row without its hash key is no row.
    arguments=lambda table: _statement(
        f"INSERT INTO \"{table}\" VALUE {{'Type': ?}}", _NO_ROW["Type"]
    ),
    refused_with=frozenset({"ValidationError", WRONG_SHAPE}),
)
STATEMENT_RIGHTS = (PARTIQL_UPDATE, PARTIQL_INSERT)
SCAN = Right(
    action="dynamodb:Scan",
    lack="the command `locks` cannot list the locks",
    operation="scan",
    arguments=lambda table: {"TableName": table, "Limit": 1},
)
DESCRIBE_TABLE = Right(
    action="dynamodb:DescribeTable",
    lack="`check` cannot check the table's key and index",
    operation="describe_table",
)
DESCRIBE_TIME_TO_LIVE = Right(
    action="dynamodb:DescribeTimeToLive",
    lack="`check` cannot check whether old rows are removed",
    operation="describe_time_to_live",
)
TABLE_RIGHTS = (
    UPDATE_ITEM,
    Right(
        action="dynamodb:DeleteItem",
        lack="a job that goes back to the queue runs again only after its claim's lease has lapsed",
        operation="delete_item",
        arguments=lambda table: {
            "TableName": table,
            "Key": _NO_ROW,
            "ConditionExpression": _NEVER,
        },
    ),
    GET_ITEM,
    *STATEMENT_RIGHTS,
    SCAN,
    DESCRIBE_TABLE,
    DESCRIBE_TIME_TO_LIVE,
)
