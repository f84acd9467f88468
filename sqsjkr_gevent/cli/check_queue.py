"""`check`: the queue, its dead-letter queue, and what it is allowed to do with them."""

import json
from collections.abc import Iterator
from typing import Any

from ..aws.client import CallError, Client, is_denied
from ..aws.provision import queue_attributes, queue_url
from ..config import Config
from ..duration import format_duration
from .findings import Finding, fail, ok, warn

#: A message that was received as often as this goes to the dead-letter queue; fewer is too few,
#: for a job that goes back was received, too.
RECEIVES_LEAST = 10


def queue(config: Config, sqs: Client) -> Iterator[Finding]:
    """All about the queue. Raises what botocore raises."""
    name = config.sqs.queue_name
    url = queue_url(sqs, name, config.account.id)
    if url is None:
        yield fail(
            f"queue {name!r}",
            f"not in account {config.account.id}, region {config.account.region}: correct them, "
            f"or create it with `sqsjkr-gevent init`",
        )
        return
    attributes = queue_attributes(sqs, url)
    retention = float(attributes.get("MessageRetentionPeriod", 0))
    kind = "FIFO" if attributes.get("FifoQueue") == "true" else "standard"
    yield ok(
        f"queue {name!r}",
        f"{kind}, keeps messages for {format_duration(retention)}; the kicker hides them for "
        f"{format_duration(config.sqs.visibility_timeout)}, whatever the queue's own "
        f"{attributes.get('VisibilityTimeout')} s",
    )
    yield from _retention(config, retention)
    yield _access(sqs, url)
    yield from _dead_letters(config, sqs, attributes, retention)


def _retention(config: Config, retention: float) -> Iterator[Finding]:
    remembered = config.throttler.retention
    if remembered is not None and remembered < retention:
        yield warn(
            "throttler.retention",
            f"{format_duration(remembered)} is less than messages live: a done job could be run "
            f"again; leave it out",
        )


def _access(sqs: Client, url: str) -> Finding:
    # With a receipt handle of nothing: the service looks at the permission first.
    nothing = "sqsjkr-gevent check"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("delete_message", {}),
        ("change_message_visibility", {"VisibilityTimeout": 0}),
    ]
    for operation, arguments in calls:
        try:
            sqs.call(operation, QueueUrl=url, ReceiptHandle=nothing, **arguments)
        except CallError as error:
            if is_denied(error):
                return fail(
                    "access",
                    "allow sqs:ReceiveMessage, DeleteMessage and ChangeMessageVisibility on it "
                    f"({error})",
                )
    return ok("access", "it may delete and hide messages; receiving one was not tried")


def _dead_letters(
    config: Config, sqs: Client, attributes: dict[str, str], retention: float
) -> Iterator[Finding]:
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    name, owner = config.sqs.dead_letter_queue, config.account.id
    if name is None and "deadLetterTargetArn" in policy:
        owner, name = policy["deadLetterTargetArn"].split(":")[-2:]
    if name is None:
        yield warn(
            "dead-letter queue",
            "none, so invalid messages stay in the queue: set the queue's RedrivePolicy, or "
            "sqs.dead_letter_queue",
        )
        return
    what = f"dead-letter queue {name!r}"
    url = queue_url(sqs, name, owner)
    if url is None:
        yield fail(what, f"not in account {owner}: create it with `sqsjkr-gevent init`")
        return
    yield from _dead_letter_queue(what, attributes, queue_attributes(sqs, url), retention)
    receives = int(policy.get("maxReceiveCount", RECEIVES_LEAST))
    if receives < RECEIVES_LEAST:
        yield warn(
            "maxReceiveCount",
            f"{receives} is few: jobs that only went back count, too; set 20 or so in the "
            f"queue's RedrivePolicy",
        )


def _dead_letter_queue(
    what: str, attributes: dict[str, str], its: dict[str, str], retention: float
) -> Iterator[Finding]:
    if its.get("FifoQueue") != attributes.get("FifoQueue"):
        yield fail(what, "it and the queue must both be FIFO, or neither: name another one")
        return
    its_retention = float(its.get("MessageRetentionPeriod", 0))
    kept = f"keeps messages for {format_duration(its_retention)}"
    if its_retention <= retention:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
        yield warn(
            what,
            f"{kept} since they were first sent, not longer than the queue: set its "
            f"MessageRetentionPeriod to 14 days",
        )
    else:
        yield ok(what, kept)
