"""All access to AWS: clients, the queue, batches, tables, dead letters, permissions."""

from .batcher import Batcher
from .client import (
    CallError,
    Client,
    Observer,
    Session,
    all_unobserved,
    error_code,
    is_denied,
    make_session,
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
    "all_unobserved",
    "error_code",
    "is_denied",
    "make_session",
    "unobserved",
]
