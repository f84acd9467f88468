"""gunicorn's lines: one write each, and neither a wait nor an error where none can be written."""

import io
import logging
import os

import pytest

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
