"""Figures of kickers that are not at full rate: latencies, memory, and what idling costs."""

import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from launches import Samples
from processes import aws_server, until
from rates import DELAY, job

from kickers import kicker


def latencies(folder: Path, scale: float) -> Samples:
    """Send jobs to an idle kicker, and measure the time until each one starts."""
    fifo = folder / "started"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDWR)
    seconds = []
    with aws_server(0.0) as aws, kicker(aws, folder, "latency", slots=20):
        for _ in range(round(100 * scale)):
            until(lambda: aws.tell()["calls"].get("ReceiveMessage"))
            sent = time.perf_counter()
            aws.fill("latency", job(command=f"echo >{fifo}"), 1)
            os.read(reading, 1)
            seconds.append(time.perf_counter() - sent)
            time.sleep(0.08)  # By then the message is deleted and the next poll is under way.
    os.close(reading)
    seconds.sort()
    yield "start p50", statistics.median(seconds) * 1000
    yield "start p99", seconds[len(seconds) * 99 // 100] * 1000


def crowd(folder: Path, scale: float) -> Samples:
    """Run a thousand jobs at a time."""
    jobs = round(1000 * scale)
    with aws_server(0.0) as aws, kicker(aws, folder, "crowd", slots=jobs) as one:
        until(lambda: aws.tell()["calls"].get("ReceiveMessage"))
        memory, pipes = one.memory(), one.pipes()
        aws.fill("crowd", job(command="exec sleep 100"), jobs)
        until(lambda: one.busy() == jobs)
        until(lambda: one.pipes() - pipes <= jobs)  # Every start is complete.
        yield "job memory", (one.memory() - memory) / jobs / 1024
        yield "job descriptors", (one.pipes() - pipes) / jobs
        one.stop_now()


def quiet(folder: Path, rounds: int, scale: float) -> Samples:
    """Kickers that are mostly idle; all rounds run in parallel."""
    with aws_server(DELAY) as aws, ExitStack() as stack:
        kickers = [
            stack.enter_context(kicker(aws, folder, f"idle{number}", slots=20))
            for number in range(rounds)
        ]
        time.sleep(3)
        receives = aws.tell()["receives"]
        used = [one.cpu() for one in kickers]
        seconds = 60 * scale
        time.sleep(seconds)
        later = aws.tell()["receives"]
        for number, one in enumerate(kickers):
            polls = later[f"idle{number}"] - receives[f"idle{number}"]
            yield "idle calls", polls * 60 / seconds
            yield "idle memory", one.memory() / 2**20
            yield "idle cpu", (one.cpu() - used[number]) / seconds * 100


def pairs(folder: Path, rounds: int) -> Samples:
    """Two kickers of one slot share ten jobs of four seconds; all rounds run in parallel."""
    queues = [f"pair{number}" for number in range(rounds)]
    with aws_server(DELAY) as aws, ExitStack() as stack:
        for side in "ab":
            (folder / side).mkdir()
            for queue in queues:
                stack.enter_context(kicker(aws, folder / side, queue, slots=1))
        time.sleep(3)
        begun = time.monotonic()
        for queue in queues:
            aws.fill(queue, job(command="sleep 4"), 10)
        until(lambda: aws.tell()["deleted"] == 10 * rounds)
        for last in aws.tell()["last"].values():
            yield "pair", (last - begun) / 20
