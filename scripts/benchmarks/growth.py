"""What costs more as the work grows: a second table, measured once."""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from figures import shown
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

    what: what there is more of, at these sizes. figure: its name and unit. of: what the values are,
    a cost of `each` piece, of `all` pieces together, a `rate`, or `other` than these. goal: most
    that it may be at the largest size.
    """

    what: str
    figure: str
    sizes: list[int]
    values: list[float]
    of: str
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """Whether each piece costs the same however many there are, and whether the goal is met."""
        words = [] if self.of == "other" else [self._flatness()]
        if self.goal is not None:
            reached = "reached" if self.values[-1] <= self.goal else "**missed**"
            words.append(f"<= {self.goal:g}: {reached}")
        return "; ".join(words)

    def _flatness(self) -> str:
        # Of all: at the smallest sizes what costs the same without any would be most of it.
        before, last = self.values[-2 if self.of == "all" else 0], self.values[-1]
        if self.of == "all":
            before, last = before / self.sizes[-2], last / self.sizes[-1]
        if self.of == "rate":
            before, last = last, before
        if not before:
            return "too little to compare"
        times = last / before
        return "flat" if times <= FLAT else f"{times:.2g} times as much each"


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
            until(lambda one=one, size=size: one.runs_all(size), every=1.0)
            time.sleep(3)  # Those of the starts are over, and all outputs are watched.
            shares.append(_share(one.cpu, RENEWAL * scale))
            one.stop_now()
            stops.append(one.told()["most"] * 1000)
    yield Growth("running jobs that sleep", "share of a core, %", sizes, shares, "all")
    yield Growth("the same", "the hub is late during a stop, at most, ms", sizes, stops, "other")


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
            until(lambda one=one, size=size: one.runs_all(size), every=1.0)
            time.sleep(3)
            shares.append(_share(one.cpu, RENEWAL * scale))
            one.stop_now()
    yield Growth(
        "running jobs with leases in DynamoDB",
        "share of a core, %",
        sizes,
        shares,
        "all",
        goal=3.0,
    )


def waiters(folder: Path, scale: float) -> Iterator[Growth]:
    """Jobs that wait for one lock, in one kicker."""
    sizes = [10, 1200]
    rates = [_locked(folder, [job(lock_id="one")], size, RENEWAL * scale) for size in sizes]
    what = "jobs that wait for one lock"
    yield Growth(what, "jobs/s through it", sizes, [one.rate for one in rates], "rate")
    shares = [one.cpu * one.rate / 10 for one in rates]
    yield Growth("the same", "share of a core, %", sizes, shares, "all")


def lock_ids(folder: Path, scale: float) -> Iterator[Growth]:
    """Jobs spread over many locks."""
    sizes = [50, 500]
    rates = []
    for size in sizes:
        bodies = [job(lock_id=f"lock-{number}") for number in range(size)]
        rates.append(_locked(folder, bodies, 1000, SECONDS * scale))
    yield _cpu("lock ids that jobs are spread over", sizes, rates)


def _locked(folder: Path, bodies: Sequence[str], waiting: int, seconds: float) -> Rate:
    """A kicker whose jobs have these locks, with up to so many of them waiting."""
    count = waiting + round(floor_rate(1.0) * (seconds + SPARE))
    with (
        filled(DELAY, "locked", bodies, count) as aws,
        kicker(aws, folder, "locked", slots=SLOTS, stores=True, max_waiting=waiting) as one,
    ):

        def is_full() -> bool:
            told = aws.tell()
            return count - told["waiting"]["locked"] - told["deleted"] >= waiting

        if len(bodies) == 1:
            until(is_full)
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
    return Growth(
        what, "CPU of the kicker for 1,000 jobs, s", sizes, [one.cpu for one in rates], "each"
    )


def history(folder: Path, scale: float) -> Iterator[Growth]:
    """Ends of jobs in a history file."""
    sizes = [round(size * scale) for size in (20_000, 200_000, 1_000_000)]
    program = [sys.executable, str(HERE / "ends.py"), str(folder / "history.db")]
    lines = run([*program, ",".join(map(str, sizes))]).splitlines()
    writes, searches = zip(*(map(float, line.split()) for line in lines), strict=True)
    yield Growth(
        "ends in the history", "to write 1,000 more, ms", sizes, [w * 1000 for w in writes], "each"
    )
    yield Growth("the same", "to find one job's, ms", sizes, [s * 1000 for s in searches], "each")


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
    yield Growth("the same", "jobs/s of the two-thread floor", sizes, of_floor, "other")


#: Each yields rows of the table.
PARTS = (sleepers, leases, waiters, lock_ids, backlog, history, processes)


def table(rows: Sequence[Growth]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what grows | figure | at | is | each |", "|---|---|---|---|---|"]
    for one in rows:
        sizes = " / ".join(f"{size:,}" for size in one.sizes)
        values = " / ".join(map(shown, one.values))
        lines.append(f"| {one.what} | {one.figure} | {sizes} | {values} | {one.verdict} |")
    return "\n".join(lines)
