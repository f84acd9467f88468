"""Counters and histograms whose values are in files, so that they outlive their process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

#: The variable in which prometheus_client looks for the directory when it opens a file.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class _Values:
    """Makes the value of a metric: of one of ours in files, of another as it would be without us.

    Another is one of a store of the user's own, or of a library: its files would be nobody's.
    """

    def __init__(self, ours: Any, others: Any) -> None:
        self._ours = ours
        self._others = others

    def __call__(self, kind: str, metric: str, *arguments: Any, **more: Any) -> Any:
        made = self._ours if metric.startswith("sqsjkr_") else self._others
        return made(kind, metric, *arguments, **more)


@contextmanager
def in_files(directory: Path, number: int) -> Iterator[None]:
    """Have our metrics that are made in the block, and their labels later, keep values there.

    number: names the files; whoever had it before is dead, and its values are counted on from.
    Raises OSError where there is no room for them.
    """
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(directory)
    ours = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    values.ValueClass = _Values(ours, values.ValueClass)
    try:
        yield
        for file in directory.glob(f"*_{number}.db"):
            _fill(file)
    finally:
        # The files are open now. A job that has metrics of its own must not find ours.
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def _fill(file: Path) -> None:
    """Take the room of a file with holes now: later a full disk would be a SIGBUS."""
    with file.open("rb+") as opened:
        os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def collector(directory: Path) -> Collector:
    """What all files of the directory say together."""
    files: Collector = MultiProcessCollector(  # type: ignore[no-untyped-call]
        CollectorRegistry(), path=str(directory)
    )
    return files
