"""Runs all benchmarks, prints their tables and writes the files: see scripts/bench."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import interpreter
from calm import crowd, latencies, pairs, quiet
from figures import FIGURES, Figure, draw, table
from growth import PARTS, Growth
from growth import table as growth_table
from launches import Samples, launches
from processes import HERE, HOME
from rates import Rates

T = TypeVar("T")

#: Rounds of a whole run.
ROUNDS = 5

#: Where the documentation has the results of a whole run.
DOCS = HERE.parents[1] / "docs"


class Bench:
    """A run. folder: for files of kickers. scale: factor for the durations.

    has_failed: whether something could not be measured; the rest is.
    """

    def __init__(self, folder: Path, scale: float) -> None:
        self._folder = folder
        self._scale = scale
        self.has_failed = False

    def figures(self, rounds: int) -> list[Figure]:
        """Measure every figure once per round."""
        folder, scale = self._folder, self._scale
        samples: dict[str, list[float]] = defaultdict(list)

        def add(part: Callable[[], Samples]) -> None:
            for key, value in self._all_of(part):
                samples[key].append(value)

        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            add(lambda: launches(scale))
            add(lambda: Rates(folder, scale).figures())
            add(lambda: latencies(folder, scale))
            add(lambda: crowd(folder, scale))
        print("idle kickers", flush=True)
        add(lambda: quiet(folder, rounds, scale))
        add(lambda: pairs(folder, rounds))
        return [Figure(key, *FIGURES[key], samples=samples[key]) for key in FIGURES if samples[key]]

    def growth(self) -> list[Growth]:
        """Measure what costs more as the work grows, once."""
        rows: list[Growth] = []
        for part in PARTS:
            print(f"growth: {part.__name__}", flush=True)
            rows += self._all_of(lambda part=part: part(self._folder, self._scale))
        return rows

    def _all_of(self, part: Callable[[], Iterator[T]]) -> Iterator[T]:
        try:
            yield from part()
        except Exception:  # noqa: BLE001  (the other figures are worth having)
            traceback.print_exc()
            self.has_failed = True


def environment() -> dict[str, object]:
    """What the results depend on."""
    return {
        "python": interpreter.described(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "sqsjkr": "SQSJKR" in os.environ,
    }


def write(output: Path, figures: list[Figure], rows: list[Growth]) -> None:
    """Write bench.json and bench.svg."""
    output.mkdir(parents=True, exist_ok=True)
    whole = {
        "environment": environment(),
        "figures": {
            one.key: {
                "name": one.name,
                "median": one.median,
                "samples": one.samples,
                "target": one.target,
            }
            for one in figures
        },
        "growth": [asdict(row) | {"verdict": row.verdict} for row in rows],
    }
    (output / "bench.json").write_text(json.dumps(whole, indent=1) + "\n")
    if figures:
        draw(figures, output / "bench.svg")


def main() -> int:
    """Measure, print the tables, and write the files. Returns 1 if something was not measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for all durations")
    parser.add_argument("--only", choices=["figures", "growth"], help="one of the two tables")
    parser.add_argument("--output", type=Path, help="directory for the results")
    arguments = parser.parse_args()
    is_short = arguments.only or arguments.rounds < ROUNDS or arguments.scale < 1
    output = arguments.output or (HOME / "results" if is_short else DOCS)
    begun = time.monotonic()
    print(interpreter.described(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), arguments.scale)
        figures = [] if arguments.only == "growth" else bench.figures(arguments.rounds)
        rows = [] if arguments.only == "figures" else bench.growth()
    print(
        *(show(some) for show, some in ((table, figures), (growth_table, rows)) if some), sep="\n\n"
    )
    if "SQSJKR" not in os.environ:
        print("\nnot compared with sqsjkr: SQSJKR names no binary")
    write(output, figures, rows)
    print(f"{time.monotonic() - begun:.0f} s; bench.json and bench.svg in {output}")
    return int(bench.has_failed)


if __name__ == "__main__":
    sys.exit(main())
