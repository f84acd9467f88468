"""Splits entries into batches that fit one call."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

#: Bytes of a batch. SQS allows 1 MiB; older SQS-compatible servers allow 256 KiB.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
MAX_BATCH_BYTES = 256 * 1024


def batches(
    entries: Iterable[T], size: Callable[[T], int], *, max_entries: int
) -> Iterator[list[T]]:
    """The entries, in order, in batches of up to `max_entries` entries and MAX_BATCH_BYTES bytes.

    size: bytes of an entry. An entry over MAX_BATCH_BYTES is a batch of its own.
    """
    batch: list[T] = []
    total = 0
    for entry in entries:
        length = size(entry)
        if batch and (len(batch) == max_entries or total + length > MAX_BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += length
    if batch:
        yield batch
