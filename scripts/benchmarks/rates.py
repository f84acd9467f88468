"""Figures of kickers at full rate, from the receive of messages to their delete."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from launches import ECHO, SLOTS, Samples, floor_rate
from processes import (
    HERE,
    HOME,
    Aws,
    aws_server,
    run,
    running,
    stats_connection,
)

from kickers import Rate, Worker, config, full_rate, kicker, sqsjkr

#: The delay of calls to AWS unless a figure names another one, in seconds: as in its own region.
DELAY = 0.015

#: How long each rate is measured, in seconds.
SECONDS = 5.0

#: A backlog lasts for this many seconds more, at the rate of the floor.
SPARE = 4.0

#: More jobs per second than Celery finishes.
MOST_OF_CELERY = 200

#: The program of calls.py is measured over this many calls.
CALLS = 2000


def job(**fields: object) -> str:
    """A message body."""
    return json.dumps({"event_id": "bench", "command": ECHO, **fields})


@contextmanager
def filled(delay: float, queue: str, bodies: str | Sequence[str], count: int) -> Iterator[Aws]:
    """Run a server for the `with` block, with that many messages in that queue."""
    with aws_server(delay) as aws:
        aws.fill(queue, bodies, count)
        yield aws


class Rates:
    """One round. folder: for files of kickers. scale: factor for the durations."""

    def __init__(self, folder: Path, scale: float) -> None:
        self._folder = folder
        self._seconds = SECONDS * scale
        self._before = floor_rate(self._seconds / 2)
        #: Messages that no worker can finish while it is measured.
        self._enough = round(self._before * 1.5 * (self._seconds + SPARE))

    def figures(self) -> Samples:
        """All of them."""
        plain = self._plain(DELAY)
        at_error = self._plain(DELAY, level="error")
        stores = self._stores(DELAY)
        quicker, at_once = self._plain(0.005), self._plain(0.0)
        # Half before and half after, so that it sees the same machine as they do.
        least = (self._before + floor_rate(self._seconds / 2)) / 2
        yield "end to end 15 ms", plain.rate / least
        yield "end to end cpu", plain.cpu
        yield "log", plain.rate / at_error.rate
        yield "end to end 5 ms", quicker.rate / least
        yield "end to end 0 ms", at_once.rate / least
        yield "calls", plain.sqs
        yield "stores 15 ms", stores.rate / least
        yield "stores cpu", stores.cpu
        yield "stores calls", stores.dynamodb
        yield "server cpu", stores.server_cpu
        yield "celery", plain.rate / self._celery()
        yield "consumer", plain.rate / self._consumer()
        yield from self._observed()
        yield from self._calls()
        if "SQSJKR" in os.environ:
            yield from self._beside_sqsjkr(stores)

    def _plain(self, delay: float, level: str = "info") -> Rate:
        """A kicker without stores."""
        with (
            filled(delay, "plain", job(), self._enough) as aws,
            kicker(aws, self._folder, "plain", slots=SLOTS, level=level) as one,
        ):
            return full_rate(aws, one.cpu, self._seconds)

    def _locks(self) -> list[str]:
        return [job(lock_id=f"lock-{number}") for number in range(self._enough)]

    def _stores(self, delay: float) -> Rate:
        """A kicker with a lock for each job, and the throttler."""
        with (
            filled(delay, "stores", self._locks(), self._enough) as aws,
            kicker(aws, self._folder, "stores", slots=SLOTS, stores=True) as one,
        ):
            return full_rate(aws, one.cpu, self._seconds)

    def _observed(self) -> Samples:
        """How late a hub at full rate is, and how fast it serves the stats."""
        with (
            filled(DELAY, "observed", job(), self._enough) as aws,
            kicker(aws, self._folder, "observed", slots=SLOTS, measures="alive") as one,
        ):
            with Prober(one.address) as prober:
                full_rate(aws, one.cpu, self._seconds)
            one.process.terminate()
            yield "tick", one.told()["p99"] * 1000
            yield "stats", prober.p99() * 1000

    def _calls(self) -> Samples:
        """CPU of calls, one after the other in a process that does nothing else."""
        conf = self._folder / "calls.toml"
        conf.write_text(config("calls", self._folder / "no.sock", slots=SLOTS, stores=True))
        with filled(0.0, "calls", job(), 10 * 2 * CALLS) as aws:
            for what, key in (("locks", "dynamodb cpu"), ("receives", "receive cpu")):
                program = [sys.executable, str(HERE / "calls.py"), str(conf), what, str(CALLS)]
                yield key, float(run(program, aws.environment)) * 1000

    def _celery(self) -> float:
        """Jobs per second of a Celery worker; its documentation recommends the prefork pool."""
        send = (
            "import celery_app, sys\n"
            "for _ in range(int(sys.argv[1])): celery_app.run.delay('echo hi')"
        )
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
        worker = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "prefork"]
        with aws_server(0.0) as aws:
            count = round(MOST_OF_CELERY * (self._seconds + SPARE))
            run([sys.executable, "-c", send, str(count)], aws.environment)
            aws.delay(DELAY)
            with running([*worker, "-c", "16", *quiet], env=aws.environment) as process:
                return full_rate(aws, Worker(process, Path()).cpu, self._seconds).rate

    def _consumer(self) -> float:
        """Jobs per second of sqs-consumer: seven consumers of ten messages at a time."""
        program = ["node", str(HOME / "node" / "consumer.mjs"), "7"]
        with (
            filled(DELAY, "consumer", job(), self._enough) as aws,
            running(program, env=aws.environment) as process,
        ):
            return full_rate(aws, Worker(process, Path()).cpu, self._seconds).rate

    def _beside_sqsjkr(self, stores: Rate) -> Samples:
        """The original, which always locks and throttles in DynamoDB."""
        for delay, ours in ((DELAY, stores), (0.0, self._stores(0.0))):
            with (
                filled(delay, "sqsjkr", self._locks(), self._enough) as aws,
                sqsjkr(aws, self._folder, "sqsjkr", slots=SLOTS) as one,
            ):
                its = full_rate(aws, one.cpu, self._seconds)
            yield f"sqsjkr {delay * 1000:.0f} ms", ours.rate / its.rate
            yield f"sqsjkr cpu {delay * 1000:.0f} ms", its.cpu


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
        with stats_connection(self._path) as connection:
            while not self._over.wait(0.03):
                asked = time.perf_counter()
                connection.request("GET", "/stats/metrics/v2")
                connection.getresponse().read()
                self._seconds.append(time.perf_counter() - asked)
