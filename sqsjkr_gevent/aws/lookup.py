"""Finding queues, and saying what to do where one cannot be used."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from ..errors import QueueError, StartError
from .client import CallError, Client, error_code, has_no_credentials, is_denied

#: What the kicker must be allowed to do with its queue.
PERMISSIONS = (
    "sqs:GetQueueUrl, GetQueueAttributes, ReceiveMessage, DeleteMessage, ChangeMessageVisibility"
)

_MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

#: Seconds that SQS keeps a message at most. Source as in sqs.py.
_RETENTION_MOST = 14 * 86400


@dataclass(frozen=True, slots=True)
class Found:
    """A queue as it is set. retention: seconds that a message lives. dead_letter_url: or None."""

    url: str
    dead_letter_url: str | None
    retention: float


def find_queue(client: Client, name: str, owner: str, dead_letter_name: str | None) -> Found:
    """The queue of that name in the account `owner`.

    dead_letter_name: None for the one in the queue's RedrivePolicy. Raises StartError where a
    queue is missing or access to it is denied, QueueError where SQS fails for now.
    """
    url = _url(client, name, owner)
    try:
        attributes = client.call("get_queue_attributes", QueueUrl=url, AttributeNames=["All"]).get(
            "Attributes", {}
        )
    except CallError as error:
        raise _queue_error(name, owner, error) from error
    arn = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    dead_letter_url = None
    if dead_letter_name is not None:
        dead_letter_url = _url(client, dead_letter_name, owner)
    elif arn is not None:
        arn_owner, arn_name = arn.split(":")[-2:]
        dead_letter_url = _url(client, arn_name, arn_owner)
    retention = float(attributes.get("MessageRetentionPeriod", _RETENTION_MOST))
    return Found(url, dead_letter_url, retention)


def start_error(
    error: Exception, what: str, missing: Collection[str], permissions: str
) -> StartError | None:
    """What to do about a call that will not succeed by itself; None where it may.

    what: the queue or table. missing: the error codes that say that it does not exist.
    """
    if error_code(error) in missing:
        return StartError(f"{what} does not exist; create it with `sqsjkr-gevent init`")
    if is_denied(error):
        return StartError(f"access to {what} is denied; allow {permissions} on it ({error})")
    if has_no_credentials(error):
        return StartError(
            f"no AWS credentials: set account.profile or the AWS_* variables ({error})"
        )
    return None


def _url(client: Client, name: str, owner: str) -> str:
    try:
        answer = client.call("get_queue_url", QueueName=name, QueueOwnerAWSAccountId=owner)
    except CallError as error:
        raise _queue_error(name, owner, error) from error
    return str(answer["QueueUrl"])


def _queue_error(name: str, owner: str, error: Exception) -> Exception:
    what = f"queue {name!r} of account {owner}"
    return start_error(error, what, _MISSING, PERMISSIONS) or QueueError(f"{what}: {error}")
