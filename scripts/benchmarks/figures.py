"""The figures: their names, their targets, and how to show them."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

#: Key: name, comparison with the target, target (None: for information only), unit.
FIGURES: dict[str, tuple[str, str, float | None, str]] = {
    "launch 8": ("launch, 8 at a time: jobs/s against the one-thread floor", ">=", 0.95, ""),
    "launch 64": ("launch, 64 at a time", ">=", 0.95, ""),
    "launch 256": ("launch, 256 at a time", ">=", 0.95, ""),
    "launch gevent": ("gevent.subprocess, 64 at a time", ">=", None, ""),
    "launch 300 MB": ("launch by a kicker of 300 MB against a small one", ">=", 0.9, ""),
    "launch cpu": ("CPU of a launch against the floor", "<=", 1.25, ""),
    "no shell": ("a plain command without against with a shell", ">=", 1.3, ""),
    "end to end 15 ms": (
        "end to end, 15 ms a call: jobs/s against the two-thread floor",
        ">=",
        0.68,
        "",
    ),
    "end to end cpu": ("CPU of the kicker for 1,000 jobs without stores", "<=", None, "s"),
    "log": ("end to end, 15 ms a call, at level info against error", ">=", 0.98, ""),
    "end to end 5 ms": ("end to end, 5 ms a call", ">=", None, ""),
    "end to end 0 ms": ("end to end, 0 ms a call", ">=", None, ""),
    "stores 15 ms": (
        "end to end with lock and throttle in DynamoDB, 15 ms a call",
        ">=",
        0.50,
        "",
    ),
    "stores cpu": ("CPU of the kicker for 1,000 jobs with lock and throttle", "<=", 0.55, "s"),
    "stores calls": ("DynamoDB calls for 1,000 jobs with lock and throttle", "<=", 300.0, ""),
    "server cpu": ("CPU of the bench's SQS and DynamoDB for 1,000 of these", "<=", None, "s"),
    "dynamodb cpu": ("CPU of a DynamoDB call", "<=", 0.12, "ms"),
    "receive cpu": ("CPU of a receive of ten", "<=", 0.12, "ms"),
    "sqsjkr 15 ms": ("with lock and throttle against sqsjkr, 15 ms a call", ">=", None, "times"),
    "sqsjkr 0 ms": ("with lock and throttle against sqsjkr, 0 ms a call", ">=", None, "times"),
    "sqsjkr cpu 15 ms": ("CPU of sqsjkr for 1,000 jobs, 15 ms a call", "<=", None, "s"),
    "sqsjkr cpu 0 ms": ("CPU of sqsjkr for 1,000 jobs, 0 ms a call", "<=", None, "s"),
    "celery": ("end to end against Celery", ">=", 5.0, "times"),
    "consumer": ("end to end against sqs-consumer", ">=", None, "times"),
    "calls": ("SQS calls per 1,000 jobs", "<=", 230.0, ""),
    "idle calls": ("SQS calls per idle minute", "<=", 4.0, ""),
    "start p50": ("send to start, p50", "<=", 5.0, "ms"),
    "start p99": ("send to start, p99", "<=", 20.0, "ms"),
    "tick": ("hub tick at full rate, p99", "<=", 10.0, "ms"),
    "stats": ("GET of the stats at full rate, p99", "<=", 10.0, "ms"),
    "job memory": ("memory of the kicker for each running job", "<=", 18.0, "KB"),
    "job descriptors": ("descriptors for each running job", "<=", 1.01, ""),
    "idle memory": ("memory of an idle kicker", "<=", 60.0, "MB"),
    "idle cpu": ("CPU of an idle kicker", "<=", 0.3, "%"),
    "pair": ("two kickers of one slot, ten jobs of 4 s: time against the ideal", "<=", 1.15, ""),
}


@dataclass(frozen=True)
class Figure:
    """One figure with its samples."""

    key: str
    name: str
    comparison: str
    target: float | None
    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None without a target."""
        if self.target is None:
            return None
        return self.median >= self.target if self.comparison == ">=" else self.median <= self.target

    @property
    def goodness(self) -> float | None:
        """1 at the target, more if the median is better; None without a target."""
        if self.target is None or not self.median:
            return None
        ratio = self.median / self.target
        return ratio if self.comparison == ">=" else 1 / ratio


def shown(value: float) -> str:
    """The number in three digits, or whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| figure | median | least - most | target | |", "|---|---|---|---|---|"]
    for one in figures:
        target = "" if one.target is None else f"{one.comparison} {one.target:g}"
        mark = {True: "reached", False: "**missed**", None: ""}[one.reached]
        spread = f"{shown(min(one.samples))} - {shown(max(one.samples))}"
        median = f"{shown(one.median)} {one.unit}".rstrip()
        lines.append(f"| {one.name} | {median} | {spread} | {target} | {mark} |")
    return "\n".join(lines)


def draw(figures: list[Figure], path: Path) -> None:
    """Draw each figure compared with its target."""
    drawn = [one for one in figures if one.goodness is not None][::-1]
    plt.rcParams["svg.hashsalt"] = "sqsjkr-gevent"
    drawing, axes = plt.subplots(figsize=(10, 0.38 * len(drawn) + 1))
    axes.barh(
        [one.name for one in drawn],
        [min(one.goodness or 0, 4) for one in drawn],
        color=["#2a7f62" if one.reached else "#c0504d" for one in drawn],
    )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("how good against the target (1: reached; cut at 4)")
    drawing.tight_layout()
    drawing.savefig(path, metadata={"Date": None})
    plt.close(drawing)
