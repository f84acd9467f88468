"""Everything that speaks to AWS: clients, the queue, batches, tables, dead letters, permissions."""

from .batcher import Batcher
from .client import (
    CallError,
    Client,
    Observer,
    Session,
    error_code,
    is_denied,
    make_session,
    nobody,
    unobserved,
)
from .sqs import SqsQueue

__all__ = [
    "Batcher",
    "CallError",
    "Client",
    "Observer",
    "Session",
    "SqsQueue",
    "error_code",
    "is_denied",
    "make_session",
    "nobody",
    "unobserved",
]
