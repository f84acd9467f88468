"""The command line: runs seeds, and says what broke."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from checker import Fault

from .fleet import Result, live
from .forks import each
from .scenario import Scenario, draw
from .shrink import shrunk

#: What the last line says, and the names of its counts.
_TOLD = {
    "jobs": "jobs",
    "runs": "runs",
    "kills": "kills",
    "stand_still": "standstills",
    "drain": "drains",
    "troubles": "troubles of a service",
    "log: lease lost": "leases lost",
    "take-overs of jobs": "jobs taken over",
    "take-overs of locks": "locks taken over",
}


def main() -> None:
    """Run the seeds that the command line names; exit status 1 if one fails."""
    parser = argparse.ArgumentParser(prog="scripts/simulate")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first seed")
    parser.add_argument("--parallel", type=int, default=2, help="how many at a time")
    parser.add_argument("--log", action="store_true", help="print the log of each run")
    parser.add_argument("--digests", action="store_true", help="print what each log hashes to")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    parser.add_argument("--no-shrink", action="store_true", help="leave a failing run as it is")
    options = parser.parse_args()
    began = time.perf_counter()
    counts: Counter[str] = Counter()
    failed = 0
    seeds = range(options.first, options.first + options.seeds)
    for scenario, result in each(live, map(draw, seeds), options.parallel):
        counts += result.counts
        if options.log:
            _print("\n".join(result.log))
        if options.digests:
            _print(f"seed {scenario.seed}: {len(result.log)} events, {result.digest}")
        if result.faults:
            failed += 1
            _tell(scenario, result, shrink=not options.no_shrink)
            if options.stop:
                break
    seconds = time.perf_counter() - began
    hours = counts["kicker seconds"] / 3600
    told = ", ".join(f"{counts[key]} {name}" for key, name in _TOLD.items())
    _print(f"{len(seeds)} seeds in {seconds:.0f} s: {hours:.0f} kicker-hours, {told}")
    _print(f"{failed} failed")
    sys.exit(1 if failed else 0)


def _tell(scenario: Scenario, result: Result, *, shrink: bool) -> None:
    _print(f"seed {scenario.seed} fails: scripts/simulate --from {scenario.seed} --seeds 1 --log")
    _print(_lines(result.faults))
    if shrink:
        small, again = shrunk(scenario, result)
        _print(f"  with {len(small.faults)} faults and {len(small.jobs)} jobs it still does:")
        _print("\n".join(f"    {one}" for one in (*small.faults, *small.jobs)))
        _print(_lines(again.faults))


def _lines(faults: Iterable[Fault]) -> str:
    return "\n".join(
        f"  {one.kind} at {one.at:.3f}: {one.what}: {one.text}"
        + (f" for {one.seconds:.3f} s" if one.seconds else "")
        for one in list(faults)[:10]
    )


def _print(text: Any) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
