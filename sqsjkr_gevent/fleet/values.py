"""Counters and histograms with their values in files, which outlive the process."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ..errors import StartError

T = TypeVar("T")

#: The variable from which prometheus_client reads the directory when it opens a file.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

#: The types of our metrics, as prometheus_client uses them in file names.
_KINDS = ("counter", "histogram")

#: Bytes of a new file; prometheus_client doubles a full one, leaving a hole.
_SIZE = 1 << 18


class _Values:
    """Makes the values of metrics: in files for ours, as usual for those of others.

    Other metrics come from a user's own store or a library; nothing would read their files.
    """

    def __init__(self, ours: Any, others: Any) -> None:
        self._ours = ours
        self._others = others

    def __call__(self, kind: str, metric: str, *arguments: Any, **more: Any) -> Any:
        made = self._ours if metric.startswith("sqsjkr_") else self._others
        return made(kind, metric, *arguments, **more)


def make_in_files(make: Callable[[], T], directory: Path, number: int) -> T:
    """Make metrics of ours that keep their values, and those of their later labels, in files.

    number: part of the file names. Counting continues from the values of the dead process that had
    the number before. Raises StartError if the files cannot be created.
    """
    try:
        for kind in _KINDS:
            _make_room(directory / f"{kind}_{number}.db")
    except OSError as error:
        raise StartError(
            f"no room for the values of metrics in {directory}: {error}; free some, or start the "
            f"fleet with TMPDIR set to another directory"
        ) from error
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(directory)
    ours = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    values.ValueClass = _Values(ours, values.ValueClass)
    try:
        return make()
    finally:
        # The files are open now. Nothing else may be made meanwhile: a job that inherits the
        # variable would write its own metrics into them.
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def _make_room(file: Path) -> None:
    """Allocate a file's space in advance: writing into a hole on a full disk causes a SIGBUS."""
    if file.exists():
        with file.open("rb+") as grown:
            os.posix_fallocate(grown.fileno(), 0, file.stat().st_size)
        return
    made = file.with_suffix(".new")  # Others read every .db file, and none may be empty.
    try:
        with made.open("wb") as opened:
            os.posix_fallocate(opened.fileno(), 0, _SIZE)
        made.rename(file)
    except OSError:
        made.unlink(missing_ok=True)
        raise


def collector(directory: Path) -> Collector:
    """The sums of all files in the directory."""
    files: Collector = MultiProcessCollector(  # type: ignore[no-untyped-call]
        CollectorRegistry(), path=str(directory)
    )
    return files
