"""Runs a kicker with sample jobs, and takes screenshots of its page: docs/page-*.png."""

import json
import os
import random
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import gevent

from browser import SOON, Page, chromium
from kickers import settings, toml
from servers import Aws, Queue, Servers, free_port
from sqsjkr_gevent import Config, Kicker
from sqsjkr_gevent.job import Outcome
from sqsjkr_gevent.local import process as local
from sqsjkr_gevent.telemetry import MemoryHistory, Record
from sqsjkr_gevent.telemetry.history import SERIES_OVER
from waiting import eventually

DOCS = Path(__file__).resolve().parent.parent / "docs"

#: name: width and height in pixels, colour scheme.
PICTURES = {
    "light": (1280, 1040, "light"),
    "dark": (1280, 1040, "dark"),
    "narrow": (360, 1180, "light"),
}

HOST = "web-1"

#: The programs that the jobs run, installed on PATH: name and shell code.
PROGRAMS = {
    "backup": "echo dumping main; sleep 600",
    "close-books": "sleep 600",
    "deliver": "echo 'HTTP/1.1 502 Bad Gateway'; exit 22",
    "export-report": "sleep 600",
    "reindex": "sleep 600",
    "thumbnail": 'echo "$1: 320x240, 18 kB"; sleep 0.$(($$ % 9))',
}

#: Jobs that run or wait when the screenshots are taken.
LIVE: list[dict[str, Any]] = [
    {"event_id": "backup-main", "command": "backup --all main --to s3://backups/main.zst"},
    {"event_id": "close-books", "lock_id": "ledger", "command": "close-books --month 2026-10"},
    {"event_id": "search-index", "command": "reindex --shards 8 products"},
    {"event_id": "report-daily", "command": "export-report --daily --to s3://reports/today.csv"},
    {"event_id": "report-ledger", "lock_id": "ledger", "command": "export-report --ledger"},
    {"event_id": "import-payments", "lock_id": "ledger", "command": "reindex payments.csv"},
]

INVALID = '{"command": ["thumbnail", "88128.jpg"]}'

#: Seconds between the starts of two of them.
APART = 4.0

#: Messages of the dead-letter queue.
LETTERS = [INVALID, '{"comand": "true"}']

#: Jobs that have ended before the screenshots are taken.
ENDED: list[dict[str, Any] | str] = [
    *({"event_id": f"thumb-{n}", "command": f"thumbnail {n}.jpg"} for n in range(88120, 88126)),
    {"event_id": "mail-digest", "command": "deliver --digest", "life_time": -60},
    {"event_id": "thumb-88126", "command": "thumbnail 88126.jpg"},
    INVALID,
    {"event_id": "webhook-shop", "command": "deliver https://shop.example.com/hook"},
    {"event_id": "thumb-88127", "command": "thumbnail 88127.jpg"},
]


def past(now: float) -> Iterator[Record]:
    """Ends of the last hour: a steady stream, with a few minutes in which a service was down."""
    chance = random.Random(11)
    for back in range(SERIES_OVER - 30, 90, -5):
        if chance.random() < 0.25:
            continue
        broken = 1500 < back < 1900
        outcome = chance.choices(
            ["succeeded", "errored", "failed", "returned"],
            [40 if broken else 970, 55 if broken else 20, 6, 4],
        )[0]
        yield Record(
            job_id=f"{back:08x}-0000-4000-8000-000000000000",
            event_id=f"thumb-{88000 - back}",
            lock_id=None,
            command=f"thumbnail {88000 - back}.jpg",
            outcome=outcome,
            cause="exit",
            reason="exit 0" if outcome == "succeeded" else "exit 22",
            exit_status=0 if outcome == "succeeded" else 22,
            sent_at=now - back - 1,
            ended_at=now - back,
            waited=chance.uniform(0.02, 0.4),
            ran=chance.uniform(0.1, 3.0),
            attempt=1,
            host=HOST,
            pid=os.getpid(),
            output="",
        )


def install(directory: Path) -> None:
    """Put the sample programs on PATH."""
    for name, lines in PROGRAMS.items():
        program = directory / name
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)
    os.environ["PATH"] = f"{directory}:{os.environ['PATH']}"


def make_queue(aws: Aws) -> Queue:
    """A queue whose dead-letter queue has messages."""
    dead = aws.sqs.create_queue(QueueName="jobs-dlq")["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:jobs-dlq"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "20"})
    url = aws.sqs.create_queue(QueueName="jobs", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    for body in LETTERS:
        aws.sqs.send_message(QueueUrl=dead, MessageBody=body)
    return Queue(aws.sqs, "jobs", url, "")


@contextmanager
def running(directory: Path, aws: Aws, queue: Queue) -> Iterator[str]:
    """Run a kicker with an hour of past jobs. Yields its address."""
    port = free_port()
    memory = {"backend": "memory"}
    config = settings(
        aws,
        queue,
        locker=memory,
        throttler=memory,
        kicker={"stats_port": port, "max_concurrent_num": 8, "kill_grace": "1s"},
    )
    config["kicker"]["shutdown_timeout"] = "1s"
    conf = directory / "conf.toml"
    conf.write_text(toml(config))
    history = MemoryHistory()
    with mock.patch("socket.gethostname", return_value=HOST):
        kicker = Kicker(Config.load(conf), history=history)
        for end in past(time.time()):
            history.add(end)
            kicker.stats.count(Outcome(end.outcome))
        life = gevent.spawn(kicker.run, log_level="error")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            kicker.stop()
            life.get()


def well(url: str) -> bool:
    """Whether the kicker at this address receives."""
    try:
        with urllib.request.urlopen(f"{url}/healthz"):  # noqa: S310
            return True
    except OSError:
        return False


def fill(queue: Queue, url: str) -> None:
    """Send the sample jobs, and wait until each one shows as it should."""

    def get(path: str) -> Any:
        with urllib.request.urlopen(url + path) as answer:  # noqa: S310
            return json.load(answer)

    def ended() -> int:
        counted: dict[str, int] = get("/api/state")["invocations"]
        return sum(counted.values())

    def seen(job: dict[str, Any]) -> bool:
        state = get("/api/state")
        jobs = [*state["running"], *state["waiting_jobs"]]
        times = [
            one.get("started_at", one.get("since"))
            for one in jobs
            if one["event_id"] == job["event_id"]
        ]
        return any(state["now"] - at > APART for at in times)

    eventually(lambda: well(url), deadline=SOON)
    for job in LIVE:
        queue.send(job)
        eventually(lambda job=job: seen(job), deadline=SOON)
    for job in ENDED:
        before = ended()
        queue.send(job)
        eventually(lambda before=before: ended() > before, deadline=SOON)


def take(page: Page, name: str) -> None:
    """Take one screenshot."""
    width, height, scheme = PICTURES[name]
    page.resize(width, height)
    page.media(prefers_color_scheme=scheme)
    page.script("scrollTo(0, 0)")
    eventually(lambda: page.script("return innerWidth") == width, deadline=SOON)
    # A chart is redrawn in the frame after its size or colours change.
    page.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
    )
    page.driver.save_screenshot(str(DOCS / f"page-{name}.png"))


def main() -> None:
    """Take all of them."""
    environ = local.environment(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    with tempfile.TemporaryDirectory() as place, chromium() as driver:
        directory = Path(place)
        install(directory)
        servers = Servers(directory)
        try:
            aws = servers.get("moto")
            queue = make_queue(aws)
            with running(directory, aws, queue) as url:
                fill(queue, url)
                page = Page(driver, url)
                driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
                page.shows("#running tr:nth-child(4)")
                eventually(lambda: "\N{EN DASH}" not in page.texts("#totals td"), deadline=SOON)
                for name in PICTURES:
                    take(page, name)
        finally:
            servers.stop()


main()
