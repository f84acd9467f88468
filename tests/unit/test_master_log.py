"""gunicorn's lines: one write each, and neither a wait nor an error where none can be written."""

import io
import json
import logging
import os
import select
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from sqsjkr_gevent.fleet import master_log
from sqsjkr_gevent.fleet.master_log import Handler, Lines


@pytest.fixture
def to(monkeypatch):
    """A logger whose lines go to a descriptor."""

    def make(fd: int) -> logging.Logger:
        monkeypatch.setattr("sys.stderr", io.open(fd, "w", closefd=False))  # noqa: UP020, SIM115
        handler = Handler()
        handler.setFormatter(Lines("text"))
        logger = logging.Logger("gunicorn.error")  # noqa: LOG001
        logger.addHandler(handler)
        return logger

    return make


def test_a_reader_that_stalls_costs_lines_and_no_time(to):
    """The master replaces workers, and a worker's hub runs jobs: neither may wait."""
    reading, writing = os.pipe()
    logger = to(writing)
    for number in range(3000):
        logger.error("line %d", number)
    os.set_blocking(reading, False)
    read = os.read(reading, 1 << 20).decode().splitlines()
    assert 0 < len(read) < 3000
    assert [f"line {number}" for number in range(len(read))] == [
        line.partition("] ")[2] for line in read
    ]
    logger.error("goes out")
    missing, line = os.read(reading, 1 << 20).decode().splitlines()
    assert missing.endswith(f"lines of the log were dropped: {3000 - len(read)}")
    assert line.endswith("goes out")
    for fd in (reading, writing):
        os.close(fd)


def a_pipe() -> tuple[int, int]:
    """What a shell's `|` makes."""
    return os.pipe()


def a_socket() -> tuple[int, int]:
    """What systemd makes."""
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


@pytest.mark.parametrize("pair", [a_pipe, a_socket])
def test_another_process_that_takes_the_room_first_keeps_nobody_waiting(to, monkeypatch, pair):
    """All processes of a fleet write to one pipe: what a look has seen may be over at the write."""
    reading, writing = pair()

    class Look(select.poll):
        def poll(self, timeout):
            found = super().poll(timeout)
            os.set_blocking(writing, False)
            for size in (4096, 1):
                with suppress(BlockingIOError):
                    while True:
                        os.write(writing, b"x" * size)
            os.set_blocking(writing, True)
            return found

    monkeypatch.setattr(master_log, "_poll", Look)
    # Whoever waits for it waits in vain for so long, and goes on then.
    reader = subprocess.Popen(["sh", "-c", "sleep 5; exec cat > /dev/null"], stdin=reading)
    logger = to(writing)
    logger.error("nowhere")
    assert (1, None) == (logger.handlers[0]._dropped, reader.poll())
    assert os.get_blocking(writing)
    reader.kill()
    reader.wait()
    for fd in (reading, writing):
        os.close(fd)


def test_a_full_disk_raises_nothing(to):
    """logging itself would print a traceback, to the same disk."""
    full = os.open("/dev/full", os.O_WRONLY)
    logger = to(full)
    logger.error("nowhere")
    assert 1 == logger.handlers[0]._dropped
    os.close(full)


def test_a_long_line_is_cut_for_a_pipe_and_whole_in_a_file(to, tmp_path):
    """More than a pipe takes at once would wait for its reader, or come in pieces among others."""
    reading, writing = os.pipe()
    to(writing).error("x" * 10_000)
    assert os.read(reading, 1 << 20).endswith(b"x [...]\n")
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    to(file).error("x" * 10_000)
    assert (tmp_path / "log").read_text().endswith("x" * 10_000 + "\n")
    for fd in (reading, writing, file):
        os.close(fd)


def record(text: str, *arguments: object, error: Exception | None = None) -> logging.LogRecord:
    """What gunicorn logs at 1970-01-01T00:00:01.5Z."""
    info = error and (type(error), error, None)
    made = logging.LogRecord("gunicorn.error", logging.INFO, "f", 1, text, arguments, info)
    made.created = 1.5
    return made


def test_a_line_of_gunicorn_looks_like_a_line_of_a_kicker():
    """They come out of one standard error, and one program reads them."""
    assert (
        "1970-01-01T00:00:01.500000Z [info     ] Booting worker with pid: 7\nKeyError: 'why'"
        == Lines("text").format(record("Booting worker with pid: %s", 7, error=KeyError("why")))
    )
    line = Lines("json").format(record("Booting worker with pid: %s", 7, error=KeyError("why")))
    assert {
        "logger": "gunicorn.error",
        "event": "Booting worker with pid: 7",
        "level": "info",
        "timestamp": "1970-01-01T00:00:01.500000Z",
        "exception": "KeyError: 'why'",
    } == json.loads(line)


def test_a_line_of_gunicorn_does_not_control_the_terminal():
    """It may have text of a request."""
    assert Lines("text").format(record("Invalid request: %s", "\x1b[2J")).endswith(r"\x1b[2J")


def test_the_master_loads_nothing_that_gevent_would_have_to_patch_first():
    """It is not patched, but the workers that it forks will be."""
    program = (
        "import sys, sqsjkr_gevent.fleet.master_log as log\n"
        "log.Lines('json')\n"
        "print(sorted({'ssl', 'urllib3', 'boto3'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ("[]\n", "") == (done.stdout, done.stderr)
