"""Runs all benchmarks, prints their tables and writes the files: see scripts/bench."""

import argparse
import json
import os
import platform
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import growth
import interpreter
from calm import crowd, latencies, pairs, quiet
from figures import FIGURES, Figure, draw, table
from launches import Samples, launches
from processes import HERE, HOME
from rates import Rates

#: Rounds of a whole run.
ROUNDS = 5

#: Where the documentation has the results of a whole run.
DOCS = HERE.parents[1] / "docs"


def measure(folder: Path, rounds: int, scale: float) -> list[Figure]:
    """Measure every figure once per round."""
    samples: dict[str, list[float]] = defaultdict(list)

    def add(part: Samples) -> None:
        try:
            for key, value in part:
                samples[key].append(value)
        except Exception:  # noqa: BLE001  (the other figures are worth having)
            traceback.print_exc()

    parts: list[Callable[[], Samples]] = [
        lambda: launches(scale),
        lambda: Rates(folder, scale).figures(),
        lambda: latencies(folder, scale),
        lambda: crowd(folder, scale),
    ]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for part in parts:
            add(part())
    print("idle kickers", flush=True)
    add(quiet(folder, rounds, scale))
    add(pairs(folder, rounds))
    return [Figure(key, *FIGURES[key], samples=samples[key]) for key in FIGURES if samples[key]]


def environment() -> dict[str, object]:
    """What the results depend on."""
    return {
        "python": interpreter.described(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "sqsjkr": "SQSJKR" in os.environ,
    }


def write(output: Path, figures: list[Figure], rows: list[growth.Growth]) -> None:
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


def main() -> None:
    """Measure, print the tables, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for all durations")
    parser.add_argument("--only", choices=["figures", "growth"], help="one of the two tables")
    parser.add_argument("--output", type=Path, help="directory for the results")
    arguments = parser.parse_args()
    is_short = arguments.only or arguments.rounds < ROUNDS or arguments.scale < 1
    output = arguments.output or (HOME / "results" if is_short else DOCS)
    begun = time.monotonic()
    figures: list[Figure] = []
    rows: list[growth.Growth] = []
    print(interpreter.described(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        if arguments.only != "growth":
            figures = measure(Path(name), arguments.rounds, arguments.scale)
        if arguments.only != "figures":
            rows = list(growth.growth(Path(name), arguments.scale))
    print(table(figures), growth.table(rows), sep="\n\n")
    if "SQSJKR" not in os.environ:
        print("\nnot compared with sqsjkr: SQSJKR names no binary")
    write(output, figures, rows)
    print(f"{time.monotonic() - begun:.0f} s; bench.json and bench.svg in {output}")


if __name__ == "__main__":
    main()
