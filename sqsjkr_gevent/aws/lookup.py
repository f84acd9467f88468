"""Finds queues and their settings, and explains what to do if one cannot be used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..config.sections import MAX_RETENTION
from ..errors import QueueError, StartError
from .client import MISSING, CallError, Client, error_code, has_no_credentials, is_denied
from .rights import (
    CHANGE_VISIBILITY,
    DELETE_MESSAGE,
    GET_QUEUE_ATTRIBUTES,
    GET_QUEUE_URL,
    QUEUE_RIGHTS,
    Right,
    needed,
    try_right,
)


@dataclass(frozen=True, slots=True)
class Redrive:
    """A queue's RedrivePolicy.

    name, owner: the dead-letter queue and its account. max_receives: receives after which SQS
    moves a message there.
    """

    name: str
    owner: str
    max_receives: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A queue and its settings.

    redrive, dead_letter_url: None if there is none. retention: seconds that SQS keeps a message.
    lacks: optional permissions that are missing.
    """

    url: str
    redrive: Redrive | None
    dead_letter_url: str | None
    retention: float
    lacks: tuple[Right, ...]


def find_queue(client: Client, name: str, owner: str, dead_letter_name: str | None) -> Found:
    """The queue of that name in the account `owner`.

    dead_letter_name: None for the one in the queue's RedrivePolicy. Raises StartError if a queue
    is missing or access to it is denied, QueueError if SQS fails temporarily.
    """
    lacks: dict[Right, None] = {}
    url = _url(client, name, owner, lacks)
    attributes = _attributes(client, url, name, owner, lacks)
    redrive = redrive_policy(attributes)
    dead_letter_url = None
    if dead_letter_name is not None:
        dead_letter_url = _url(client, dead_letter_name, owner, lacks)
    elif redrive is not None:
        dead_letter_url = _url(client, redrive.name, redrive.owner, lacks)
    retention = float(attributes.get("MessageRetentionPeriod", MAX_RETENTION))
    return Found(url, redrive, dead_letter_url, retention, tuple(lacks))


def queue_url(client: Client, name: str, owner: str) -> str | None:
    """The queue's URL, None if there is no such queue. Raises what botocore raises."""
    try:
        response = client.call(
            "get_queue_url", expected=is_denied, QueueName=name, QueueOwnerAWSAccountId=owner
        )
    except CallError as error:
        if error_code(error) in MISSING:
            return None
        raise
    return str(response["QueueUrl"])


def default_url(client: Client, name: str, owner: str) -> str:
    """The queue's URL, for callers without the permission to look it up."""
    return f"{client.endpoint_url.rstrip('/')}/{owner}/{name}"


def queue_attributes(client: Client, url: str) -> dict[str, str]:
    """All attributes of a queue. Raises what botocore raises."""
    response = client.call(
        "get_queue_attributes", expected=is_denied, QueueUrl=url, AttributeNames=["All"]
    )
    attributes: dict[str, str] = response.get("Attributes", {})
    return attributes


def redrive_policy(attributes: Mapping[str, str]) -> Redrive | None:
    """The RedrivePolicy among a queue's attributes, None if there is none."""
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    if "deadLetterTargetArn" not in policy:
        return None
    owner, name = policy["deadLetterTargetArn"].split(":")[-2:]
    receives = policy.get("maxReceiveCount")
    return Redrive(name, owner, None if receives is None else int(receives))


def check_rights(client: Client, url: str, name: str, owner: str) -> None:
    """Try the required permissions, as far as a call can do so without changing anything.

    Raises StartError if one is denied or the queue is missing, QueueError if SQS fails.
    """
    for right in (CHANGE_VISIBILITY, DELETE_MESSAGE):
        try:
            try_right(client, right, url)
        except CallError as error:
            raise _queue_error(name, owner, error, right.action) from error


def missing(what: str) -> StartError:
    """The error for a queue or table that does not exist."""
    return StartError(f"{what} does not exist; create it with `sqsjkr-gevent init`")


def start_error(error: Exception, what: str, permissions: str) -> StartError | None:
    """The error for a call that cannot succeed until someone acts; None if it may succeed later.

    what: the queue or table. permissions: those that the call needs.
    """
    if error_code(error) in MISSING:
        return missing(what)
    if is_denied(error):
        return StartError(f"access to {what} is denied; allow {permissions} on it ({error})")
    if has_no_credentials(error):
        return StartError(
            f"no AWS credentials: set account.profile or the AWS_* variables ({error})"
        )
    return None


def _url(client: Client, name: str, owner: str, lacks: dict[Right, None]) -> str:
    try:
        url = queue_url(client, name, owner)
    except CallError as error:
        if not is_denied(error):
            raise _queue_error(name, owner, error) from error
        lacks[GET_QUEUE_URL] = None
        return default_url(client, name, owner)
    if url is None:
        raise missing(described(name, owner))
    return url


def _attributes(
    client: Client, url: str, name: str, owner: str, lacks: dict[Right, None]
) -> dict[str, str]:
    try:
        return queue_attributes(client, url)
    except CallError as error:
        if not is_denied(error):
            raise _queue_error(name, owner, error) from error
        lacks[GET_QUEUE_ATTRIBUTES] = None
        return {}


def described(name: str, owner: str) -> str:
    """A queue as error messages name it."""
    return f"queue {name!r} of account {owner}"


def _queue_error(
    name: str, owner: str, error: Exception, permissions: str = needed(QUEUE_RIGHTS)
) -> Exception:
    what = described(name, owner)
    return start_error(error, what, permissions) or QueueError(f"{what}: {error}")
