"""Every command of the README and of docs/ is run as it is written."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kickers import DEADLINE
from servers import ROOT, free_port
from waiting import eventually

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def documented() -> list[str]:
    """The command lines, in order, each once: indented ones, and those of shell blocks."""
    found: list[str] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        blocks = re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines()]
        lines += re.findall(r"^    (\S.*\|\n +\S.*|\S.*)$", text, re.MULTILINE)
        found += [
            re.sub(r"\s+# .*", "", line)
            for line in lines
            if re.match(r"(echo .*> job.json|printf .*\||sqsjkr-gevent( |$))", line)
            and not line.startswith("sqsjkr-gevent: ")
        ]
    return [line for line in dict.fromkeys(found) if "[OPTIONS]" not in line]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the conf.toml of a kicker of local mode, which has done some jobs."""
    directory = tmp_path_factory.mktemp("docs")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    log = directory / "local.log"
    with log.open("wb") as output:
        local = subprocess.Popen(
            [sys.executable, "-m", "sqsjkr_gevent", "local", "--dir", str(directory),
             "--stats-port", str(free_port()), "--log-format", "json"],
            env=environ, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        eventually(lambda: '"event": "started"' in log.read_text(), deadline=DEADLINE)
        yield directory
    finally:
        local.send_signal(signal.SIGTERM)
        local.wait(DEADLINE)


def run(line: str, place: Path, **more: object) -> "subprocess.CompletedProcess[str]":
    """Run a line by a shell whose `sqsjkr-gevent` is this one."""
    programs = place / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "sqsjkr-gevent"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sqsjkr_gevent "$@"\n')
    program.chmod(0o755)
    return subprocess.run(
        ["sh", "-c", line],
        env={
            **os.environ, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
            "PATH": f"{programs}:{os.environ['PATH']}",
        },
        cwd=place, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )  # fmt: skip


def test_the_pages_have_the_commands_that_there_are():
    """So that the next test is not of nothing."""
    lines = documented()
    for name in ("send", "status", "history", "locks", "dlq", "drain", "run-job", "check", "init"):
        assert [] != [line for line in lines if f"conf.toml {name}" in line], name
    assert len(lines) > 20


@pytest.mark.slow
def test_every_documented_command_does_what_it_says(place: Path):
    """In the order of the pages; ids in them stand for those of jobs that there are."""
    sent = run("sqsjkr-gevent -c conf.toml send 'exit 2'", place).stdout.strip()
    run("sqsjkr-gevent -c conf.toml send 'sleep 600' --lock-id x", place)
    wrong: list[str] = []
    drained = False
    for line in documented():
        if re.fullmatch(r"sqsjkr-gevent -c conf.toml( --processes 4)?", line):
            wrong += kicker(line, place)
            continue
        if line.startswith("sqsjkr-gevent local"):
            continue  # It is what runs here.
        if " drain" in line:
            drained = True
            continue  # The last one.
        done = run(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", sent, line), place)
        expected = 2 if "locks release" in line else 0  # Nobody can be asked here.
        if done.returncode != expected or "Traceback" in done.stderr:
            wrong.append(f"{line}: {done.returncode} {done.stdout} {done.stderr}")
    assert [] == wrong
    assert drained
    shown = json.loads(run("sqsjkr-gevent -c conf.toml history --json", place).stdout)
    assert {"succeeded", "errored"} <= {end["outcome"] for end in shown}
    done = run("sqsjkr-gevent -c conf.toml drain", place)
    assert (0, True) == (done.returncode, "has stopped" in done.stdout)


def kicker(line: str, place: Path) -> list[str]:
    """Start and stop what runs until a signal, with a port of its own; what went wrong."""
    other = place / "other"
    other.mkdir(exist_ok=True)
    text = re.sub(r"stats_port = \d+", 'stats_port = "any"', (place / "conf.toml").read_text())
    (other / "conf.toml").write_text(text)
    log = other / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *line.replace("sqsjkr-gevent", "sqsjkr_gevent").split()],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"},
            cwd=other, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    count = 4 if "--processes" in line else 1
    eventually(lambda: count == log.read_text().count('"event": "started"'), deadline=DEADLINE)
    process.send_signal(signal.SIGTERM)
    code = process.wait(DEADLINE)
    return [] if code == 0 else [f"{line}: {code} {log.read_text()[-500:]}"]
