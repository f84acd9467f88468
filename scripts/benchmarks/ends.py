"""Writes the ends of many jobs into a history, and looks for them.

python ends.py FILE TOTALS

TOTALS: numbers of ends, with commas, growing. Prints a line for each of them: the seconds that
1,000 more ends took to write, at that number, and the seconds in which one job's were found.
"""

from gevent import monkey

monkey.patch_all()

import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from sqsjkr_gevent.stores.history import SqliteHistory  # noqa: E402
from sqsjkr_gevent.telemetry import Query, Record  # noqa: E402

#: Ends that are written in one piece, and how many pieces are timed.
PIECE = 5000
TIMED = 4

#: Searches that are timed.
SEARCHES = 100


def end(number: int, now: float) -> Record:
    """How one job ended."""
    return Record(
        job_id=f"job-{number}",
        event_id=f"event-{number % 100}",
        lock_id=None,
        command="echo hi",
        outcome="succeeded",
        cause="exit",
        reason="exit 0",
        exit_status=0,
        sent_at=now,
        ended_at=now,
        waited=0.1,
        ran=0.01,
        attempt=1,
        host="bench",
        pid=1,
        output="hi\n",
    )


def write(history: SqliteHistory, first: int, count: int) -> float:
    """Write ends. Returns the seconds that it takes."""
    now, began = time.time(), time.perf_counter()
    written = None
    for number in range(first, first + count):
        written = history.add(end(number, now))
    if written is not None and not written.wait(60):
        raise TimeoutError("the history was not written")
    return time.perf_counter() - began


def search(history: SqliteHistory, total: int) -> float:
    """The median of the seconds in which the ends of one job are found."""
    seconds = []
    for number in range(SEARCHES):
        began = time.perf_counter()
        found = history.find(Query(job_id=f"job-{number * total // SEARCHES}"))
        seconds.append(time.perf_counter() - began)
        if len(found) != 1:
            raise RuntimeError("a job is not in the history")
    return statistics.median(seconds)


def main(path: str, totals: str) -> None:
    """Write up to each of the totals."""
    history = SqliteHistory(path, run="bench", keep=86400.0)
    history.check()
    number = 0
    for total in map(int, totals.split(",")):
        pieces = []
        while number < total:
            pieces.append(write(history, number, PIECE))
            number += PIECE
        took = statistics.median(pieces[-TIMED:]) * 1000 / PIECE
        print(took, search(history, total), flush=True)
    history.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
