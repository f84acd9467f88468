"""scripts/simulate: repeatable, without a failure, and able to find one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

#: Takes a rule out of the product before the simulation runs.
WITHOUT = """
from simulation import system
system.install()
from gevent import monkey
monkey.patch_all()
from simulation import command
{change}
command.main()
"""


def simulate(*arguments: str, change: str | None = None, seed: str = "0") -> tuple[int, str]:
    """Run it; returns its exit code and output. change: a line that changes the product."""
    how = ["-m", "simulation"] if change is None else ["-c", WITHOUT.format(change=change)]
    done = subprocess.run(
        [sys.executable, *how, *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": seed},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_same_seed_gives_the_same_run_byte_for_byte():
    """In another process, with other hashes and other addresses."""
    runs = [simulate("--from", "4", "--seeds", "1", "--log", seed=seed) for seed in ("1", "2")]
    logs = [output.rpartition("\n1 seeds in")[0] for _, output in runs]
    assert 1000 < logs[0].count("\n")
    assert logs[0] == logs[1]


@pytest.mark.parametrize("seeds", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_no_promise_breaks_in_so_many_seeds(seeds):
    """Each about an hour of a kicker's life, under faults of a kind of its own."""
    code, output = simulate("--seeds", str(seeds), "--no-shrink")
    assert (0, "0 failed") == (code, output.splitlines()[-1]), output


@pytest.mark.slow
def test_a_rule_taken_out_is_found_and_shrunk():
    """Without the check of the leases before a start, jobs of one lock run side by side."""
    change = "from sqsjkr_gevent.worker import Run; Run.check_leases = lambda self: None"
    code, output = simulate("--from", "67", "--seeds", "1", change=change)
    assert 1 == code
    assert "  overlap at " in output
    assert "faults and" in output
