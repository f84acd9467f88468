"""Locks and states of jobs in sqsjkr's DynamoDB table, shared by all hosts.

The rows are sqsjkr's: `EventId` in a lock row means locked, `Expired` in a throttle row means seen.
Ours also have `Owner`, `Version` (grows with each renewal), `Lease` (seconds); a lock row also has
`Token` and `LockedAt` (for people; no lease is judged by it), a throttle row also has `Status`. A
row without `Owner` is sqsjkr's, has no lease, and is never taken over.
"""

from ...aws import Client
from ...aws.statements import Statements
from ...aws.table import Table
from ...descriptors import store_connections
from ..backend import Opening
from .locker import FREE_LOCK_KEPT, DynamoDBLocker
from .throttler import DynamoDBThrottler

__all__ = ["FREE_LOCK_KEPT", "Backend", "DynamoDBLocker", "DynamoDBThrottler"]

#: How often botocore tries each call.
ATTEMPTS = 3


class Backend:
    """See backend.Backend. One client serves both stores, and their statements share calls."""

    def __init__(self, opening: Opening) -> None:
        self._config = config = opening.config
        self._client = Client(
            opening.session,
            "dynamodb",
            config.account,
            connections=store_connections(config.kicker.max_concurrent_num),
            observe=opening.observer("dynamodb"),
            attempts=ATTEMPTS,
        )
        self._statements = Statements(self._client)

    def locker(self) -> DynamoDBLocker:
        """See backend.Backend."""
        section = self._config.locker
        return DynamoDBLocker(self._table(section.table), lease=section.lease)

    def throttler(self, retention: float) -> DynamoDBThrottler:
        """See backend.Backend."""
        table = self._table(self._config.throttler.table)
        lease = self._config.sqs.visibility_timeout
        return DynamoDBThrottler(table, lease=lease, retention=retention)

    def _table(self, name: str) -> Table:
        return Table(self._client, name, self._statements)

    def check_visible(self) -> None:
        """See backend.Backend; they can."""

    def check(self) -> str:
        """See backend.Backend; the tables have findings of their own."""
        return "backend 'dynamodb' uses DynamoDB"
