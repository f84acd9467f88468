"""`check`: the queue, its dead-letter queue, and the permissions for them."""

from collections.abc import Iterator

from ...aws import CallError, Client, error_code, is_denied
from ...aws.client import MISSING
from ...aws.lookup import default_url, queue_attributes, queue_url, redrive_policy
from ...aws.rights import DEAD_LETTER_RIGHTS, QUEUE_RIGHTS
from ...config import Config
from ...duration import format_duration
from .findings import Finding, fail, ok, warn
from .rights import rights

#: The smallest sensible maxReceiveCount: a job that is only returned also counts as received.
MIN_RECEIVES = 10


def queue(config: Config, sqs: Client) -> Iterator[Finding]:
    """Check the queue and its dead-letter queue. Raises botocore's errors."""
    name, owner = config.sqs.queue_name, config.account.id
    url = _url(sqs, name, owner)
    if url is None:
        yield _missing(config)
        return
    try:
        attributes = _attributes(sqs, url)
    except CallError as error:
        if error_code(error) not in MISSING:
            raise
        yield _missing(config)
        return
    what = f"queue {name!r}"
    if attributes is not None:
        yield from _settings(config, what, attributes)
    yield from rights(sqs, QUEUE_RIGHTS, url, what)
    yield from _dead_letters(config, sqs, attributes)


def _missing(config: Config) -> Finding:
    return fail(
        f"queue {config.sqs.queue_name!r}",
        f"not in account {config.account.id}, region {config.account.region}: correct them, "
        f"or create the queue with `sqsjkr-gevent init`",
    )


def _url(sqs: Client, name: str, owner: str) -> str | None:
    try:
        return queue_url(sqs, name, owner)
    except CallError as error:
        if not is_denied(error):
            raise
        return default_url(sqs, name, owner)


def _attributes(sqs: Client, url: str) -> dict[str, str] | None:
    """All attributes; None if reading them is denied."""
    try:
        return queue_attributes(sqs, url)
    except CallError as error:
        if not is_denied(error):
            raise
        return None


def _settings(config: Config, what: str, attributes: dict[str, str]) -> Iterator[Finding]:
    retention = _kept(attributes)
    kind = "FIFO" if attributes.get("FifoQueue") == "true" else "standard"
    yield ok(
        what,
        f"{kind}, keeps messages for {format_duration(retention)}; visibility timeout "
        f"{format_duration(config.sqs.visibility_timeout)}, set by the kicker, instead of the "
        f"queue's {attributes.get('VisibilityTimeout')} s",
    )
    yield from _retention(config, retention)


def _kept(attributes: dict[str, str]) -> float:
    return float(attributes.get("MessageRetentionPeriod", 0))


def _retention(config: Config, retention: float) -> Iterator[Finding]:
    remembered = config.throttler.retention
    if remembered is not None and remembered < retention:
        yield warn(
            "throttler.retention",
            f"{format_duration(remembered)} is less than the queue's retention period: a done job "
            f"could run again; remove this key",
        )


def _dead_letters(
    config: Config, sqs: Client, attributes: dict[str, str] | None
) -> Iterator[Finding]:
    redrive = redrive_policy(attributes or {})
    name, owner = config.sqs.dead_letter_queue, config.account.id
    if name is None and redrive is not None:
        owner, name = redrive.owner, redrive.name
    if name is None:
        yield warn(
            "dead-letter queue",
            "none, so invalid messages stay in the queue: set the queue's RedrivePolicy, or "
            "sqs.dead_letter_queue",
        )
        return
    what = f"dead-letter queue {name!r}"
    url = _url(sqs, name, owner)
    if url is None:
        yield fail(what, f"not in account {owner}: create it with `sqsjkr-gevent init`")
        return
    its = _attributes(sqs, url)
    if attributes is not None and its is not None:
        yield from _dead_letter_queue(what, attributes, its)
    yield from rights(sqs, DEAD_LETTER_RIGHTS, url, what)
    receives = None if redrive is None else redrive.max_receives
    if receives is not None and receives < MIN_RECEIVES:
        yield warn(
            "maxReceiveCount",
            f"{receives} is low, since returned jobs count too: set about 20 in the queue's "
            f"RedrivePolicy",
        )


def _dead_letter_queue(
    what: str, attributes: dict[str, str], its: dict[str, str]
) -> Iterator[Finding]:
    if its.get("FifoQueue") != attributes.get("FifoQueue"):
        yield fail(what, "it and the queue must both be FIFO, or neither: set another one")
        return
    its_retention = _kept(its)
    kept = f"keeps messages for {format_duration(its_retention)}"
    if its_retention <= _kept(attributes):
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
        yield warn(
            what,
            f"{kept} after they were first sent, no longer than the queue does: set its "
            f"MessageRetentionPeriod to 14 days",
        )
    else:
        yield ok(what, kept)
