"""Clients of the AWS services for commands that run once."""

import botocore.session

from ..aws.client import Client
from ..config import Account

CONNECTIONS = 4

#: How often botocore tries a call before a command gives up; somebody waits for it.
ATTEMPTS = 3


def client(session: botocore.session.Session, account: Account, service: str) -> Client:
    """A client of `sqs` or `dynamodb` that nobody observes."""
    return Client(
        session,
        service,
        account,
        connections=CONNECTIONS,
        observe=lambda operation, error: None,
        attempts=ATTEMPTS,
    )
