"""What the tests of all stores need: a clock that stands still, and a client of the package."""

import pytest

from servers import Aws
from sqsjkr_gevent.aws import Client, make_session
from sqsjkr_gevent.config.config import AccountSection


class Clock:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time."""
        return self.now


def dynamodb_client(request: pytest.FixtureRequest) -> Client:
    """A client of the package for the test's server."""
    aws: Aws = request.getfixturevalue("aws")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_key)
    account = AccountSection(id=aws.account_id, region=aws.region, endpoint_url=aws.endpoint_url)
    return Client(
        make_session(account),
        "dynamodb",
        account,
        connections=32,
        observe=lambda operation, error: None,
    )
