"""Finding queues, and saying what to do where one cannot be used."""

import json
from dataclasses import dataclass
from typing import Any

from ..errors import QueueError, StartError
from .client import MISSING, CallError, Client, error_code, has_no_credentials, is_denied
from .rights import (
    CHANGE_VISIBILITY,
    DELETE_MESSAGE,
    GET_QUEUE_ATTRIBUTES,
    GET_QUEUE_URL,
    QUEUE_RIGHTS,
    Right,
    look,
    needed,
)

#: Seconds that SQS keeps a message at most. Source as in sqs.py.
_MAX_RETENTION = 14 * 86400


@dataclass(frozen=True, slots=True)
class Found:
    """A queue as it is set.

    retention: seconds that a message lives. dead_letter_url: or None. lacks: permissions that the
    kicker does without.
    """

    url: str
    dead_letter_url: str | None
    retention: float
    lacks: tuple[Right, ...]


def find_queue(client: Client, name: str, owner: str, dead_letter_name: str | None) -> Found:
    """The queue of that name in the account `owner`.

    dead_letter_name: None for the one in the queue's RedrivePolicy. Raises StartError where a
    queue is missing or access to it is denied, QueueError where SQS fails for now.
    """
    lacks: dict[Right, None] = {}
    url = _url(client, name, owner, lacks)
    attributes = _attributes(client, url, name, owner, lacks)
    arn = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    dead_letter_url = None
    if dead_letter_name is not None:
        dead_letter_url = _url(client, dead_letter_name, owner, lacks)
    elif arn is not None:
        arn_owner, arn_name = arn.split(":")[-2:]
        dead_letter_url = _url(client, arn_name, arn_owner, lacks)
    retention = float(attributes.get("MessageRetentionPeriod", _MAX_RETENTION))
    return Found(url, dead_letter_url, retention, tuple(lacks))


def check_rights(client: Client, url: str, name: str, owner: str) -> None:
    """Try what the kicker cannot do without, as far as that changes nothing.

    Raises StartError where it is denied or the queue is missing, QueueError where SQS fails.
    """
    for right in (CHANGE_VISIBILITY, DELETE_MESSAGE):
        try:
            look(client, right, url)
        except CallError as error:
            raise _queue_error(name, owner, error, right.action) from error


def url_of(client: Client, name: str, owner: str) -> str:
    """The queue's URL where nobody may ask for it."""
    return f"{client.endpoint_url.rstrip('/')}/{owner}/{name}"


def start_error(error: Exception, what: str, permissions: str) -> StartError | None:
    """What to do about a call that will not succeed by itself; None where it may.

    what: the queue or table. permissions: those that the call needs.
    """
    if error_code(error) in MISSING:
        return StartError(f"{what} does not exist; create it with `sqsjkr-gevent init`")
    if is_denied(error):
        return StartError(f"access to {what} is denied; allow {permissions} on it ({error})")
    if has_no_credentials(error):
        return StartError(
            f"no AWS credentials: set account.profile or the AWS_* variables ({error})"
        )
    return None


def _url(client: Client, name: str, owner: str, lacks: dict[Right, None]) -> str:
    try:
        answer = client.call(
            "get_queue_url", expected=is_denied, QueueName=name, QueueOwnerAWSAccountId=owner
        )
    except CallError as error:
        if not is_denied(error):
            raise _queue_error(name, owner, error) from error
        lacks[GET_QUEUE_URL] = None
        return url_of(client, name, owner)
    return str(answer["QueueUrl"])


def _attributes(
    client: Client, url: str, name: str, owner: str, lacks: dict[Right, None]
) -> dict[str, Any]:
    try:
        answer = client.call(
            "get_queue_attributes", expected=is_denied, QueueUrl=url, AttributeNames=["All"]
        )
    except CallError as error:
        if not is_denied(error):
            raise _queue_error(name, owner, error) from error
        lacks[GET_QUEUE_ATTRIBUTES] = None
        return {}
    attributes: dict[str, Any] = answer.get("Attributes", {})
    return attributes


def _queue_error(
    name: str, owner: str, error: Exception, permissions: str = needed(QUEUE_RIGHTS)
) -> Exception:
    what = f"queue {name!r} of account {owner}"
    return start_error(error, what, permissions) or QueueError(f"{what}: {error}")
