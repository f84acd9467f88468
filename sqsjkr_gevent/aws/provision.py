"""Creates what a kicker needs: the queue, its dead-letter queue, the table. Prints nothing."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..config import Config
from ..config.sections import MAX_RETENTION, QUEUE_NAME
from ..errors import ConfigError, StartError
from .client import MISSING, CallError, Client, error_code
from .lookup import missing, queue_attributes, queue_url, redrive_policy

#: Receives after which SQS moves a message to the dead-letter queue. Not small, because a job that
#: goes back to the queue (the kicker stops, its lock store is down) counts as received, too.
MAX_RECEIVE_COUNT = 20

#: Seconds that a new table may take to become ACTIVE, and between two checks.
ACTIVE_WITHIN = 300.0
CHECK_EVERY = 1.0

#: sqsjkr's index. DynamoDB needs the types of all attributes used in keys.
INDEX = "TypeExpiredIndex"
ATTRIBUTE_TYPES = {"Id": "S", "Type": "S", "Expired": "N"}
TABLE_KEYS = {"Id": "HASH", "Type": "RANGE"}
INDEX_KEYS = {"Type": "HASH", "Expired": "RANGE"}
TTL_ATTRIBUTE = "Expired"


@dataclass(frozen=True)
class Step:
    """One resource. what: its kind and name. detail: how it is, or would be, set up."""

    what: str
    exists: bool
    detail: str
    create: Callable[[], None]


def steps(
    config: Config, sqs: Client, dynamodb: Client, max_receive_count: int = MAX_RECEIVE_COUNT
) -> Iterator[Step]:
    """The resources that the config needs, in the order of their creation.

    Each is looked up when the iterator reaches it. Raises what botocore raises, and ConfigError.
    """
    yield from _queues(config, sqs, max_receive_count)
    for name in tables(config):
        exists = table_description(dynamodb, name) is not None
        yield Step(
            f"table {name!r}",
            exists,
            "left as it is" if exists else f"keys Id and Type, {INDEX}, TTL, on-demand",
            lambda name=name: _create_table(dynamodb, name),  # type: ignore[misc]
        )


def tables(config: Config) -> list[str]:
    """The DynamoDB tables that the config names, each once."""
    sections = (config.locker, config.throttler)
    return list(dict.fromkeys(one.table for one in sections if one.backend == "dynamodb"))


def table_description(dynamodb: Client, name: str) -> dict[str, Any] | None:
    """DescribeTable, None if there is no such table. Raises what botocore raises."""
    try:
        table: dict[str, Any] = dynamodb.call("describe_table", TableName=name)["Table"]
    except CallError as error:
        if error_code(error) in MISSING:
            return None
        raise
    return table


def dead_letter_name(config: Config) -> str:
    """The dead-letter queue of the config, else `<queue>-dlq`. Raises ConfigError."""
    if config.sqs.dead_letter_queue is not None:
        return config.sqs.dead_letter_queue
    base, suffix, _ = config.sqs.queue_name.partition(".fifo")
    try:
        return str(QUEUE_NAME(f"{base}-dlq{suffix}"))
    except ValueError:
        raise ConfigError(
            f"{base}-dlq{suffix} is too long for a queue name: set sqs.dead_letter_queue"
        ) from None


def _queues(config: Config, sqs: Client, max_receive_count: int) -> Iterator[Step]:
    name, owner = config.sqs.queue_name, config.account.id
    visibility = int(config.sqs.visibility_timeout)
    url = queue_url(sqs, name, owner)
    # An existing queue keeps its RedrivePolicy, so another dead-letter queue would stay unused.
    if url is None or config.sqs.dead_letter_queue is not None:
        dead = dead_letter_name(config)
        dead_exists = queue_url(sqs, dead, owner) is not None
        yield Step(
            f"dead-letter queue {dead!r}",
            dead_exists,
            "left as it is" if dead_exists else "keeps messages for 14 days",
            lambda: _create_queue(sqs, dead, owner, MessageRetentionPeriod=str(MAX_RETENTION)),
        )

    def create() -> None:
        policy = {
            "deadLetterTargetArn": _arn(sqs, dead, owner),
            "maxReceiveCount": str(max_receive_count),
        }
        attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": str(visibility)}
        _create_queue(sqs, name, owner, **attributes)

    if url is None:
        detail = (
            f"visibility timeout {visibility} s, to {dead!r} after {max_receive_count} receives"
        )
    elif config.sqs.dead_letter_queue is not None or redrive_policy(queue_attributes(sqs, url)):
        detail = "left as it is"
    else:
        detail = "left as it is, without a dead-letter queue: set its RedrivePolicy"
    yield Step(f"queue {name!r}", url is not None, detail, create)


def _create_queue(sqs: Client, name: str, owner: str, **attributes: str) -> None:
    if name.endswith(".fifo"):
        attributes["FifoQueue"] = "true"
    url = sqs.call("create_queue", QueueName=name, Attributes=attributes)["QueueUrl"]
    made_in = queue_attributes(sqs, url)["QueueArn"].split(":")[4]
    if made_in != owner:
        raise StartError(
            f"queue {name!r} was created in account {made_in}, that of the credentials, "
            f"but account.id is {owner}: correct one of them"
        )


def _arn(sqs: Client, name: str, owner: str) -> str:
    url = queue_url(sqs, name, owner)
    if url is None:
        raise missing(f"queue {name!r}")
    return queue_attributes(sqs, url)["QueueArn"]


def _create_table(dynamodb: Client, name: str) -> None:
    dynamodb.call(
        "create_table",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_schema(TABLE_KEYS),
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in ATTRIBUTE_TYPES.items()
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": _schema(INDEX_KEYS),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    until = time.monotonic() + ACTIVE_WITHIN
    while (table_description(dynamodb, name) or {}).get("TableStatus") != "ACTIVE":
        if time.monotonic() > until:
            raise StartError(f"table {name!r} was created, but is not ACTIVE yet: see its console")
        time.sleep(CHECK_EVERY)
    dynamodb.call(
        "update_time_to_live",
        TableName=name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
    )


def _schema(keys: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]
