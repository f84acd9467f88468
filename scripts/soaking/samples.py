"""What is measured during a soak, and how much of each may be gained in an hour."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from statistics import fmean

import gevent
import psutil

from crew import Crew
from flatness import Bound, Sample
from servers import Table

#: Seconds between two samples of processes; the last three quantities are read at every fifth.
EVERY = 1.0
SELDOM = 5

MB = 1 << 20

#: Kinds of processes.
WHO = ("lone kicker", "process of the fleet", "master")

#: Each quantity with its bound. The slack of descriptors and of processes is for jobs that run, as
#: many as there are slots; that of rows and files for jobs that come in waves.
BOUNDS: dict[str, Bound] = {
    **{f"memory, {who} (MB)": Bound(slack=4, per_hour=4) for who in WHO},
    **{f"descriptors, {who}": Bound(slack=6, per_hour=2) for who in WHO},
    **{f"threads, {who}": Bound(slack=2, per_hour=1) for who in WHO},
    "processes": Bound(slack=12, per_hour=4),
    "files in TMPDIR": Bound(slack=6, per_hour=2),
    "rows in the table": Bound(slack=250, per_hour=50),
    "rows of the history": Bound(slack=500, per_hour=50),
}


@dataclass
class Samples:
    """What was measured: for each quantity its samples, in seconds since the start."""

    crew: Crew
    table: Table
    taken: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    _started_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Take samples until the greenlet is killed."""
        turn = 0
        while True:
            self._take(seldom=turn % SELDOM == 0)
            turn += 1
            gevent.sleep(EVERY)

    def _take(self, *, seldom: bool) -> None:
        at = round(time.monotonic() - self._started_at, 2)
        measured = dict(self._measured())
        if seldom:
            measured.update(self._seldom())
        for name, value in measured.items():
            self.taken[name].append((at, round(value, 2)))

    def _measured(self) -> Iterator[tuple[str, float]]:
        alone = [[kicker.pid] for kicker in (self.crew.lone, self.crew.fleet)]
        workers = [process.pid for process in self.crew.workers()]
        for who, pids in zip(WHO, [alone[0], workers, alone[1]], strict=True):
            read = [one for one in map(_read, pids) if one is not None]
            if read:
                memory, descriptors, threads = (fmean(values) for values in zip(*read, strict=True))
                yield f"memory, {who} (MB)", memory
                yield f"descriptors, {who}", descriptors
                yield f"threads, {who}", threads
        yield "files in TMPDIR", sum(1 for _ in self.crew.temporary.rglob("*"))

    def _seldom(self) -> Iterator[tuple[str, float]]:
        yield "processes", len(self.crew.processes())
        # What has expired is gone for everybody but for DynamoDB, which removes it when it likes.
        expired = [float(row["Expired"]["N"]) for row in self.table.rows() if "Expired" in row]
        locks = sum("Expired" not in row for row in self.table.rows())
        yield "rows in the table", locks + sum(at > time.time() for at in expired)
        with (
            suppress(sqlite3.OperationalError),  # It is busy.
            closing(sqlite3.connect(f"file:{self.crew.history}?mode=ro", uri=True)) as history,
        ):
            yield "rows of the history", history.execute("SELECT COUNT(*) FROM ends").fetchone()[0]


def _read(pid: int) -> tuple[float, int, int] | None:
    """Memory in MB, descriptors and threads of a process; None if it has ended or only begins."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            threads = process.num_threads()
            return process.memory_info().rss / MB, process.num_fds(), threads
    except psutil.Error:
        return None
