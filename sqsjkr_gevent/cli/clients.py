"""Clients of the AWS services for commands that run once."""

from ..aws import Client, Session, unobserved
from ..config import AccountSection

CONNECTIONS = 4

#: How often botocore tries a call. Few times, since a user waits for the command.
ATTEMPTS = 3


def client(session: Session, account: AccountSection, service: str) -> Client:
    """A client of `sqs` or `dynamodb`, without metrics."""
    return Client(
        session,
        service,
        account,
        connections=CONNECTIONS,
        observe=unobserved,
        attempts=ATTEMPTS,
    )
