"""`check`: who we are at AWS, and whether our clocks agree."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from ...aws import CallError, Client, Session
from ...config import AccountSection
from .findings import Finding, fail, ok, warn

#: Seconds that the clocks may differ; a life_time counts from SQS's clock by this host's.
MAX_SKEW = 5.0


def credentials(session: Session, account: AccountSection) -> Iterator[Finding]:
    """Where the credentials come from; never what they are."""
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
    """How far this host's clock is from the service's."""
    asked = time.time()
    try:
        answer = sqs.call("list_queues", MaxResults=1)
    except CallError as error:
        answer = getattr(error, "response", {})
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is None:
        return  # No answer at all: the look at the queue says so.
    answered = time.time()
    told = parsedate_to_datetime(date).timestamp()
    # The date is cut to whole seconds, and was written between the two looks at our clock.
    skew = max(asked - (told + 1), told - answered, 0.0)
    if skew > MAX_SKEW:
        yield warn(
            "clock",
            f"this host's is {skew:.0f} s off: set it, for life_time counts from the service's",
        )
    else:
        yield ok("clock", "agrees with the service's")
