"""What costs more as the work grows: a second table, measured once."""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launches import SLOTS, floor_rate
from processes import HERE, run, until
from rates import DELAY, SECONDS, SPARE, filled, job

from kickers import Rate, full_rate, kicker

#: Seconds over which a share of a core is measured: each lease of the defaults is renewed once.
RENEWAL = 20.0

#: More than this many times the cost of a small amount is not flat.
FLAT = 1.25


@dataclass(frozen=True)
class Growth:
    """How one cost grows.

    what: what there is more of, at these sizes. figure: its name and unit. total: whether the
    values are of all of it, so that a flat cost per piece grows with the size. goal: at the largest
    size.
    """

    what: str
    figure: str
    sizes: list[int]
    values: list[float]
    total: bool = False
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """Whether each piece costs the same however many there are, and whether the goal is met."""
        first, last = self.values[0], self.values[-1]
        if self.total:
            first, last = first / self.sizes[0], last / self.sizes[-1]
        times = last / first if first else 0.0
        words = "flat" if times <= FLAT else f"{times:.2g} times as much each"
        if self.goal is None:
            return words
        reached = "reached" if self.values[-1] <= self.goal else "**missed**"
        return f"{words}; <= {self.goal:g}: {reached}"


def growth(folder: Path, scale: float) -> Iterator[Growth]:
    """All of it."""
    for part in (sleepers, leases, waiters, lock_ids, backlog, history, processes):
        print(f"growth: {part.__name__}", flush=True)
        yield from part(folder, scale)


def sleepers(folder: Path, scale: float) -> Iterator[Growth]:
    """Running jobs that do nothing, and a stop of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    sizes = [size for size in (10, 100, 1000, 10_000) if most < 0 or size + 1000 < most]
    shares, stops = [], []
    for size in sizes:
        queue = f"sleepers{size}"
        with (
            filled(DELAY, queue, job(command="exec sleep 1000"), size) as aws,
            kicker(aws, folder, queue, slots=size, measures="stop") as one,
        ):
            until(lambda one=one, size=size: one.pipes() >= size, every=1.0)
            time.sleep(3)  # Those of the starts are over, and all outputs are watched.
            shares.append(_share(one.cpu, RENEWAL * scale))
            one.stop_now()
            stops.append(one.told()["most"] * 1000)
    yield Growth("running jobs that sleep", "share of a core, %", sizes, shares, total=True)
    yield Growth("the same", "the hub is late during a stop, at most, ms", sizes, stops)


def _share(cpu: Callable[[], float], seconds: float) -> float:
    """Per cent of a core."""
    used = cpu()
    time.sleep(seconds)
    return (cpu() - used) / seconds * 100


def leases(folder: Path, scale: float) -> Iterator[Growth]:
    """Running jobs, each with a claim and a lock in DynamoDB."""
    sizes, shares = [200, 2000], []
    for size in sizes:
        queue = f"leases{size}"
        bodies = [job(command="exec sleep 1000", lock_id=f"lock-{n}") for n in range(size)]
        with (
            filled(DELAY, queue, bodies, size) as aws,
            kicker(aws, folder, queue, slots=size, stores=True) as one,
        ):
            until(lambda one=one, size=size: one.pipes() >= size, every=1.0)
            time.sleep(3)
            shares.append(_share(one.cpu, RENEWAL * scale))
            one.stop_now()
    yield Growth(
        "running jobs with leases in DynamoDB",
        "share of a core, %",
        sizes,
        shares,
        total=True,
        goal=3.0,
    )


def waiters(folder: Path, scale: float) -> Iterator[Growth]:
    """Jobs that wait for one lock, in one kicker."""
    sizes = [10, 1200]
    rates = [_locked(folder, [job(lock_id="one")], size, scale) for size in sizes]
    yield _cpu("jobs that wait for one lock", sizes, rates)


def lock_ids(folder: Path, scale: float) -> Iterator[Growth]:
    """Jobs spread over many locks."""
    sizes = [50, 500]
    rates = []
    for size in sizes:
        bodies = [job(lock_id=f"lock-{number}") for number in range(size)]
        rates.append(_locked(folder, bodies, 1000, scale))
    yield _cpu("lock ids that jobs are spread over", sizes, rates)


def _locked(folder: Path, bodies: Sequence[str], waiting: int, scale: float) -> Rate:
    """A kicker whose jobs have these locks, with up to so many of them waiting."""
    seconds = SECONDS * scale
    count = waiting + round(floor_rate(1.0) * (seconds + SPARE))
    with (
        filled(DELAY, "locked", bodies, count) as aws,
        kicker(aws, folder, "locked", slots=SLOTS, stores=True, max_waiting=waiting) as one,
    ):
        return full_rate(aws, one.cpu, seconds)


def backlog(folder: Path, scale: float) -> Iterator[Growth]:
    """Messages that wait in the queue."""
    sizes, rates = [20_000, 100_000], []
    for size in sizes:
        with (
            filled(DELAY, "backlog", job(), size) as aws,
            kicker(aws, folder, "backlog", slots=SLOTS) as one,
        ):
            rates.append(full_rate(aws, one.cpu, SECONDS * scale))
    yield _cpu("messages in the queue", sizes, rates)


def _cpu(what: str, sizes: list[int], rates: Sequence[Rate]) -> Growth:
    return Growth(what, "CPU of the kicker for 1,000 jobs, s", sizes, [one.cpu for one in rates])


def history(folder: Path, scale: float) -> Iterator[Growth]:
    """Ends of jobs in a history file."""
    sizes = [round(size * scale) for size in (20_000, 200_000, 1_000_000)]
    program = [sys.executable, str(HERE / "ends.py"), str(folder / "history.db")]
    lines = run([*program, ",".join(map(str, sizes))]).splitlines()
    writes, searches = zip(*(map(float, line.split()) for line in lines), strict=True)
    yield Growth(
        "ends in the history", "to write 1,000 more, ms", sizes, [w * 1000 for w in writes]
    )
    yield Growth("the same", "to find one job's, ms", sizes, [s * 1000 for s in searches])


def processes(folder: Path, scale: float) -> Iterator[Growth]:
    """Kickers on one host, under one command."""
    sizes, rates = [1, 2], []
    seconds = SECONDS * scale
    least = floor_rate(seconds)
    for size in sizes:
        with (
            filled(DELAY, f"fleet{size}", job(), round(least * 1.5 * (seconds + SPARE))) as aws,
            kicker(aws, folder, f"fleet{size}", slots=SLOTS, processes=size) as one,
        ):
            rates.append(full_rate(aws, one.cpu, seconds))
    yield _cpu("processes of one host", sizes, rates)
    of_floor = [one.rate / least for one in rates]
    yield Growth("the same", "jobs/s of the two-thread floor", sizes, of_floor)


def table(rows: Sequence[Growth]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what grows | figure | at | is | each |", "|---|---|---|---|---|"]
    for one in rows:
        sizes = " / ".join(f"{size:,}" for size in one.sizes)
        values = " / ".join(f"{value:.3g}" for value in one.values)
        lines.append(f"| {one.what} | {one.figure} | {sizes} | {values} | {one.verdict} |")
    return "\n".join(lines)
