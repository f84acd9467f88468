"""What a soak has shown: as a table, as JSON, and as a plot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from flatness import Sample, Trend

#: Points of a plotted line.
POINTS = 120

#: Seconds, and the least and the most of a quantity around that time.
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Result:
    """One soak. jobs, faults: how many of each kind. broken: promises, a line for each.

    trends, series: by quantity; times of the series are seconds since the start.
    """

    seed: int
    minutes: float
    jobs: Mapping[str, int]
    faults: Mapping[str, int]
    broken: list[str]
    trends: Mapping[str, Trend]
    series: Mapping[str, list[Point]]

    @property
    def wrong(self) -> list[str]:
        """A line for each broken promise, and for each quantity that grows."""
        return self.broken + [
            f"leak: {name} grew by {one.growth:.1f}, and {one.allowed:.1f} is allowed"
            for name, one in self.trends.items()
            if not one.is_flat
        ]

    def as_text(self) -> str:
        """How long it was, and the quantities as a Markdown table."""
        lines = [
            f"{self.minutes:g} minutes, seed {self.seed}",
            f"jobs: {counted(self.jobs)}",
            f"faults: {counted(self.faults)}",
            "",
            "| quantity | least - most | grew by | allowed | per hour | |",
            "|---|---|---|---|---|---|",
        ]
        for name, one in self.trends.items():
            mark = "flat" if one.is_flat else "**grows**"
            lines.append(
                f"| {name} | {one.least:.4g} - {one.most:.4g} | {one.growth:+.2f} | "
                f"{one.allowed:.1f} | {one.per_hour:+.1f} | {mark} |"
            )
        return "\n".join(lines)

    def record(self, docs: Path) -> None:
        """Write soak.json and soak.svg into that directory. Needs matplotlib."""
        from drawing import draw  # noqa: PLC0415  (only a run that is recorded needs it)

        (docs / "soak.json").write_text(json.dumps(asdict(self)) + "\n")
        draw(self.series, docs / "soak.svg")


def counted(kinds: Mapping[str, int]) -> str:
    """How many of each kind, on one line, and of all."""
    each = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return f"{sum(kinds.values())} ({each})"


def condensed(samples: Sequence[Sample]) -> list[Point]:
    """The samples as at most POINTS points."""
    end = samples[-1][0]
    pieces: dict[int, list[Sample]] = {}
    for at, value in samples:
        pieces.setdefault(min(POINTS - 1, int(at / end * POINTS)) if end else 0, []).append(
            (at, value)
        )
    return [
        (piece[0][0], min(value for _, value in piece), max(value for _, value in piece))
        for piece in pieces.values()
    ]
