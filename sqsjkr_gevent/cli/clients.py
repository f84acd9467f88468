"""Clients of the AWS services for commands that run once."""

from ..aws import Client, Session, unobserved
from ..config import AccountSection

CONNECTIONS = 4

#: How often botocore tries a call before a command gives up; somebody waits for it.
ATTEMPTS = 3


def client(session: Session, account: AccountSection, service: str) -> Client:
    """A client of `sqs` or `dynamodb` that nobody observes."""
    return Client(
        session,
        service,
        account,
        connections=CONNECTIONS,
        observe=unobserved,
        attempts=ATTEMPTS,
    )
