"""Counters and histograms whose values are in files, so that they outlive their process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

#: The variable in which prometheus_client looks for the directory when it opens a file.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def in_files(directory: Path, number: int) -> Iterator[None]:
    """Have all metrics that are made in the block, and from then on, keep their values there.

    number: names the files; whoever had it before is dead, and its values are counted on from.
    """
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(directory)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        # The files are open now. A job that has metrics of its own must not find ours.
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def collector(directory: Path) -> Collector:
    """What all files of the directory say together."""
    files: Collector = MultiProcessCollector(  # type: ignore[no-untyped-call]
        CollectorRegistry(), path=str(directory)
    )
    return files
