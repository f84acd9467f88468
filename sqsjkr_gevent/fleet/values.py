"""Counters and histograms whose values are in files, so that they outlive their process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ..errors import StartError

#: The variable in which prometheus_client looks for the directory when it opens a file.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

#: The kinds of our metrics, as prometheus_client names their files.
_KINDS = ("counter", "histogram")

#: Bytes of a file; prometheus_client doubles it, with a hole, when it is full.
_SIZE = 1 << 18


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
    Raises StartError where there is no room for them.
    """
    try:
        for kind in _KINDS:
            _make_room(directory / f"{kind}_{number}.db")
    except OSError as error:
        raise StartError(
            f"no room for the values of metrics in {directory}: {error}; make some, or start the "
            f"fleet with TMPDIR set to another directory"
        ) from error
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(directory)
    ours = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    values.ValueClass = _Values(ours, values.ValueClass)
    try:
        yield
    finally:
        # The files are open now. A job that has metrics of its own must not find ours.
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def _make_room(file: Path) -> None:
    """Take the room of a file before anybody writes: into a hole, a full disk is a SIGBUS."""
    if file.exists():
        with file.open("rb+") as grown:
            os.posix_fallocate(grown.fileno(), 0, file.stat().st_size)
        return
    made = file.with_suffix(".new")  # Others read all that is called .db, which none may be empty.
    try:
        with made.open("wb") as opened:
            os.posix_fallocate(opened.fileno(), 0, _SIZE)
        made.rename(file)
    except OSError:
        made.unlink(missing_ok=True)
        raise


def collector(directory: Path) -> Collector:
    """What all files of the directory say together."""
    files: Collector = MultiProcessCollector(  # type: ignore[no-untyped-call]
        CollectorRegistry(), path=str(directory)
    )
    return files
