"""`check`: the AWS credentials, and the difference between the clocks."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from ...aws import CallError, Client, Session
from ...config import AccountSection
from .findings import Finding, fail, ok, warn

#: Seconds by which the clocks may differ. A life_time starts by SQS's clock, ends by this host's.
MAX_SKEW = 5.0


def credentials(session: Session, account: AccountSection) -> Iterator[Finding]:
    """Report where the credentials come from, never the credentials."""
    found = session.get_credentials()
    if found is None:
        yield fail(
            "credentials", "none found: set account.profile, --profile, or the AWS_* variables"
        )
        return
    found.get_frozen_credentials()
    profile = f", profile {account.profile!r}" if account.profile else ""
    yield ok("credentials", f"from {found.method}{profile}")


def clock(sqs: Client) -> Iterator[Finding]:
    """Compare this host's clock with the service's."""
    sent_at = time.time()
    try:
        answer = sqs.call("list_queues", MaxResults=1)
    except CallError as error:
        answer = getattr(error, "response", {})
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is None:
        return  # No response: the check of the queue reports that.
    received_at = time.time()
    dated_at = parsedate_to_datetime(date).timestamp()
    # The date is truncated to whole seconds, and was written between the request and the response.
    skew = max(sent_at - (dated_at + 1), dated_at - received_at, 0.0)
    if skew > MAX_SKEW:
        yield warn(
            "clock",
            f"this host's is {skew:.0f} s off: correct it, since life_time starts by the service's",
        )
    else:
        yield ok("clock", "agrees with the service's")
