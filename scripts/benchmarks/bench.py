"""Runs all benchmarks and prints the results: see scripts/bench."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
from figures import FIGURES, Figure, draw, table
from processes import (
    AWS,
    HERE,
    HOME,
    Sqs,
    clean_environment,
    dynamodb_server,
    floor,
    kicker,
    launch,
    running,
    sqs_server,
    stats_connection,
    until,
)

#: The command of most figures: a builtin, so that the floor and the kicker start the same program.
ECHO = "echo hi"

#: The delay of calls to SQS and DynamoDB, in seconds, unless a figure names another one.
DELAY = 0.015

#: What a round yields: keys of figures, with their values.
Samples = Iterator[tuple[str, float]]


def job(**fields: object) -> str:
    """A message body."""
    return json.dumps({"event_id": "bench", **fields})


def launches(scale: float) -> Samples:
    """Start processes, without a queue."""
    jobs = round(1000 * scale)
    for parallel in (8, 64, 256):
        least, ours = floor(1, parallel, jobs, ECHO), launch("spawn", parallel, jobs, ECHO)
        yield f"launch {parallel}", least[0] / ours[0]
        if parallel == 64:
            yield "launch cpu", ours[1] / least[1]
            few = jobs // 5
            plain = launch("gevent", parallel, few, ECHO)
            yield "launch gevent", (least[0] / jobs) / (plain[0] / few)
            large = launch("spawn", parallel, jobs, ECHO, 300)
            yield "launch 300 MB", ours[0] / large[0]
    shell = launch("spawn-shell", 64, jobs, "uname")
    yield "no shell", shell[0] / launch("spawn", 64, jobs, "uname")[0]


def ends_to_ends(sqs: Sqs, folder: Path, scale: float) -> Samples:
    """Run jobs from the receive of their messages to the delete."""
    jobs = round(2000 * scale)
    least = jobs / floor(2, 64, jobs, ECHO)[0]
    for delay in (DELAY, 0.005, 0.0):
        sqs.ask("/reset", delay=delay)
        sqs.fill("plain", job(command=ECHO), jobs)
        with kicker(sqs, folder, "plain", slots=64) as one, Prober(one.address) as prober:
            told = sqs.wait_for_deletes(jobs)
            ticks = one.told()
        ours = told["rate"]
        yield f"end to end {delay * 1000:.0f} ms", ours / least
        if delay == DELAY:
            calls = sum(n for name, n in told["calls"].items() if name != "GetQueueUrl")
            yield "calls", calls * 1000 / jobs
            yield "tick", ticks["tick_p99"] * 1000
            yield "stats", prober.p99() * 1000
            yield "celery", ours / celery(sqs, scale)
            yield "consumer", ours / consumer(sqs, scale)
    with dynamodb_server(DELAY) as url:
        yield "end to end locks", locked(sqs, folder, url, scale) / least


def locked(sqs: Sqs, folder: Path, url: str, scale: float) -> float:
    """Jobs per second with the throttler, and a lock for each job."""
    jobs = round(600 * scale)
    sqs.ask("/reset", delay=DELAY)
    for number in range(jobs):
        sqs.fill("locked", job(command=ECHO, lock_id=f"lock-{number}"), 1)
    with kicker(sqs, folder, "locked", slots=64, dynamodb=url):
        return sqs.wait_for_deletes(jobs)["rate"]


def celery(sqs: Sqs, scale: float) -> float:
    """Jobs per second of a Celery worker; its documentation recommends the prefork pool."""
    jobs = round(200 * scale)
    sqs.ask("/reset", delay=DELAY)
    env = {"SQS_PORT": str(sqs.port)}
    send = (
        "import celery_app, sys\nfor _ in range(int(sys.argv[1])): celery_app.run.delay('echo hi')"
    )
    subprocess.run(
        [sys.executable, "-c", send, str(jobs)],
        check=True,
        cwd=HERE,
        env={**clean_environment(), **AWS, **env},
    )
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    worker = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "prefork"]
    with running([*worker, "-c", "16", *quiet], env=env):
        return sqs.wait_for_deletes(jobs)["rate"]


def consumer(sqs: Sqs, scale: float) -> float:
    """Jobs per second of sqs-consumer: seven consumers of ten messages at a time."""
    jobs = round(500 * scale)
    sqs.ask("/reset", delay=DELAY)
    sqs.fill("consumer", job(command=ECHO), jobs)
    program = ["node", str(HOME / "node" / "consumer.mjs"), "7"]
    with running(program, env={"SQS_PORT": str(sqs.port)}):
        return sqs.wait_for_deletes(jobs)["rate"]


def latencies(sqs: Sqs, folder: Path, scale: float) -> Samples:
    """Send jobs to an idle kicker, and measure the time until each one starts."""
    sqs.ask("/reset", delay=0.0)
    fifo = folder / "started"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDWR)
    seconds = []
    with kicker(sqs, folder, "latency", slots=20):
        for _ in range(round(100 * scale)):
            until(lambda: sqs.ask("/tell")["calls"].get("ReceiveMessage"))
            sent = time.perf_counter()
            sqs.fill("latency", job(command=f"echo >{fifo}"), 1)
            os.read(reading, 1)
            seconds.append(time.perf_counter() - sent)
            time.sleep(0.08)  # By then the message is deleted and the next poll is under way.
    os.close(reading)
    seconds.sort()
    yield "start p50", statistics.median(seconds) * 1000
    yield "start p99", seconds[len(seconds) * 99 // 100] * 1000


def crowd(sqs: Sqs, folder: Path, scale: float) -> Samples:
    """Run a thousand jobs at a time."""
    jobs = round(1000 * scale)
    sqs.ask("/reset", delay=0.0)
    with kicker(sqs, folder, "crowd", slots=jobs) as one:
        until(lambda: sqs.ask("/tell")["calls"].get("ReceiveMessage"))
        process = psutil.Process(one.process.pid)
        memory, pipes = process.memory_info().rss, pipes_of(process)
        sqs.fill("crowd", job(command="exec sleep 100"), jobs)
        until(lambda: one.stats()["workers"]["busy"] == jobs)
        until(lambda: pipes_of(process) - pipes <= jobs)  # Every start is complete.
        yield "job memory", (process.memory_info().rss - memory) / jobs / 1024
        yield "job descriptors", (pipes_of(process) - pipes) / jobs
        # Twice, because the second SIGTERM skips the wait for running jobs.
        one.process.terminate()
        one.process.terminate()


def pipes_of(process: psutil.Process) -> int:
    """The number of pipe ends that a process has open."""
    count = 0
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            count += str(entry.readlink()).startswith("pipe:")
        except FileNotFoundError:
            continue  # Closed in the meantime.
    return count


def quiet(sqs: Sqs, folder: Path, rounds: int, scale: float) -> Samples:
    """Kickers that are mostly idle; all rounds run in parallel."""
    sqs.ask("/reset", delay=DELAY)
    with ExitStack() as stack:
        kickers = [
            stack.enter_context(kicker(sqs, folder, f"idle{n}", slots=20, tick=False))
            for n in range(rounds)
        ]
        time.sleep(3)
        calls = sqs.ask("/tell")["receives"]
        processes = [psutil.Process(one.process.pid) for one in kickers]
        used = [sum(process.cpu_times()[:2]) for process in processes]
        seconds = 60 * scale
        time.sleep(seconds)
        after = sqs.ask("/tell")["receives"]
        for number, (process, before) in enumerate(zip(processes, used, strict=True)):
            polls = after[f"idle{number}"] - calls[f"idle{number}"]
            yield "idle calls", polls * 60 / seconds
            yield "idle memory", process.memory_info().rss / 2**20
            yield "idle cpu", (sum(process.cpu_times()[:2]) - before) / seconds * 100
    yield from pairs(sqs, folder, rounds)


def pairs(sqs: Sqs, folder: Path, rounds: int) -> Samples:
    """Two kickers of one slot share ten jobs of four seconds; all rounds run in parallel."""
    queues = [f"pair{number}" for number in range(rounds)]
    sqs.ask("/reset", delay=DELAY)
    with ExitStack() as stack:
        for side in "ab":
            (folder / side).mkdir()
            for queue in queues:
                stack.enter_context(kicker(sqs, folder / side, queue, slots=1))
        time.sleep(3)
        begun = time.monotonic()
        for queue in queues:
            sqs.fill(queue, job(command="sleep 4"), 10)
        until(lambda: sqs.ask("/tell")["deleted"] == 10 * rounds)
        for last in sqs.ask("/tell")["last"].values():
            yield "pair", (last - begun) / 20


class Prober:
    """Requests the stats repeatedly during a `with` block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def p99(self) -> float:
        """The 99th percentile of the response time, in seconds."""
        seconds = sorted(self._seconds)
        return seconds[len(seconds) * 99 // 100]

    def _ask(self) -> None:
        try:
            with stats_connection(self._path) as connection:
                while not self._over.wait(0.03):
                    asked = time.perf_counter()
                    connection.request("GET", "/stats/metrics/v2")
                    connection.getresponse().read()
                    self._seconds.append(time.perf_counter() - asked)
        except OSError:
            pass  # The kicker stopped.


def measure(rounds: int, scale: float) -> dict[str, list[float]]:
    """Measure every figure once per round."""
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, sqs_server() as sqs:
        folder = Path(name)
        parts: list[Callable[[], Samples]] = [
            lambda: launches(scale),
            lambda: ends_to_ends(sqs, folder, scale),
            lambda: latencies(sqs, folder, scale),
            lambda: crowd(sqs, folder, scale),
        ]
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for part in parts:
                for key, value in part():
                    samples[key].append(value)
        print("idle kickers", flush=True)
        for key, value in quiet(sqs, folder, rounds, scale):
            samples[key].append(value)
    return samples


def main() -> None:
    """Measure the figures, print them, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the number of jobs")
    parser.add_argument("--output", type=Path, default=HOME / "results")
    arguments = parser.parse_args()
    begun = time.monotonic()
    samples = measure(arguments.rounds, arguments.scale)
    figures = [Figure(key, *FIGURES[key], samples=samples[key]) for key in FIGURES]
    print(table(figures))
    arguments.output.mkdir(parents=True, exist_ok=True)
    written = {
        figure.key: {
            "name": figure.name,
            "median": figure.median,
            "samples": figure.samples,
            "target": figure.target,
        }
        for figure in figures
    }
    (arguments.output / "bench.json").write_text(json.dumps(written, indent=1) + "\n")
    draw(figures, arguments.output / "bench.svg")
    print(f"{time.monotonic() - begun:.0f} s; bench.json and bench.svg in {arguments.output}")


if __name__ == "__main__":
    main()
