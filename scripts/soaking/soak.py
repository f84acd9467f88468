"""Runs a soak and judges it. Exit code 0: no promise broken and nothing leaked; 1 otherwise."""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent

from crew import LEASE, START_WITHIN, Crew
from faults import Faults
from flatness import trend
from jobs import Evidence
from mix import Mix, dead_letters
from proxy import Proxy
from result import Result, condensed, counted
from samples import BOUNDS, Samples
from servers import Aws, create_queue, create_table, start_ministack
from servers import connect as connected
from waiting import eventually

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: Seconds for all jobs to be done once the faults are over.
LONG = 300.0

#: Lines about what went wrong: the first says what to look for.
MAX_LINES = 20

#: Seconds between two lines about the progress.
TELL_EVERY = 60.0


class Soak:
    """One run. directory: for all its files."""

    def __init__(self, directory: Path, seed: int, aws: Aws, stack: ExitStack) -> None:
        self._seed = seed
        self._stack = stack
        self._proxies = {name: Proxy(aws.server.port).start() for name in ("sqs", "dynamodb")}
        for proxy in self._proxies.values():
            stack.callback(proxy.stop)
        # Kills and standstills redeliver a message, and that must not make it a dead letter.
        patient = {"visibility_timeout": LEASE, "max_receive_count": 1000}
        self._queue = create_queue(aws, **patient)
        self._fifo = create_queue(aws, fifo=True, **patient)
        self._table = create_table(aws)
        env = {f"AWS_ENDPOINT_URL_{name.upper()}": one.url for name, one in self._proxies.items()}
        self._crew = Crew(directory, aws, env, f"{seed}-{os.getpid()}", self._table)
        stack.callback(self._crew.clean_up)
        self._evidence = Evidence(directory)
        seeds = random.Random(seed)
        self._mix = Mix(
            self._evidence,
            directory,
            self._queue,
            self._fifo,
            random.Random(seeds.random()),
            long=1.2 * LEASE,
        )
        self._faults = Faults(
            self._crew,
            self._proxies,
            random.Random(seeds.random()),
            random.Random(seeds.random()),
        )

    def run(self, minutes: float) -> Result:
        """Run it for so long, then let all jobs end, and judge."""
        self._crew.start(self._queue, self._fifo)
        samples = Samples(self._crew, self._table)
        runs = [
            gevent.spawn(run)
            for run in (
                self._mix.run,
                self._faults.run_processes,
                self._faults.run_network,
                samples.run,
            )
        ]
        broken = list(self._watch(runs, minutes))
        gevent.killall(runs)
        self._faults.heal()
        died = bool(broken)
        broken += self._end()
        return Result(
            seed=self._seed,
            minutes=minutes,
            jobs=dict(self._mix.sent),
            faults=dict(self._faults.made),
            broken=broken,
            # One that ended early may have too few samples, and is a failure without them.
            trends={}
            if died
            else {name: trend(samples.taken[name], bound) for name, bound in BOUNDS.items()},
            series={name: condensed(samples.taken[name]) for name in BOUNDS},
        )

    def _watch(self, runs: list[gevent.Greenlet], minutes: float) -> Iterator[str]:
        """Wait that long. Yields what ends the soak before."""
        began = time.monotonic()
        told = 0.0
        while (gone := time.monotonic() - began) < 60 * minutes:
            ended = self._crew.ended_unasked()
            if ended is not None:
                yield ended
                return
            for run in runs:
                if run.ready():
                    run.get()  # Raises: the soak itself has failed, which is no result.
            for proxy in self._proxies.values():
                proxy.calls.clear()
            if gone - told >= TELL_EVERY:
                told = gone
                made = counted(self._faults.made)
                print(
                    f"{gone / 60:.0f} min: {self._mix.done()} jobs done; faults: {made}", flush=True
                )
            gevent.sleep(1.0)

    def _end(self) -> Iterator[str]:
        """Let all jobs end, stop the kickers, and yield each promise that was broken."""
        try:
            eventually(self._crew.is_whole, deadline=START_WITHIN, every=1.0)
        except AssertionError:
            yield f"a kicker is not well {START_WITHIN:.0f} s after the last fault"
        try:
            eventually(self._queue.is_empty, deadline=LONG, every=0.5)
            eventually(self._fifo.is_empty, deadline=LONG, every=0.5)
        except AssertionError:
            yield f"jobs are left in the queues {LONG:.0f} s after the last fault"
        for fault in self._evidence.faults():
            yield f"{fault.kind}: {fault.what}: {fault.text}"
        dead = dead_letters(self._queue) + dead_letters(self._fifo)
        for body in sorted(self._mix.invalid - dead.keys()):
            yield f"an invalid message is no dead letter: {body}"
        for body in sorted(dead.keys() - self._mix.invalid):
            yield f"a job is a dead letter: {body}"
        yield from self._crew.stop()
        for line in self._crew.errors():
            yield f"in the log of {line}"


def main() -> int:
    """Run one; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep the logs and records")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with ExitStack() as stack:
        if arguments.keep:
            directory = Path(tempfile.mkdtemp(prefix="soak-"))
            print(f"logs in {directory}", flush=True)
        else:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        server = start_ministack(directory)
        stack.callback(server.stop)
        soak = Soak(directory, arguments.seed, connected(server), stack)
        result = soak.run(arguments.minutes)
    print(result.as_text(), flush=True)
    if arguments.record:
        result.record(DOCS)
    for line in result.wrong[:MAX_LINES]:
        print(f"soak: {line}", file=sys.stderr)
    return 1 if result.wrong else 0


sys.exit(main())
