"""The log, written to what cannot be written to: a full disk, a reader that stalls or has gone."""

import fcntl
import os
import subprocess
import sys

import gevent
import pytest
from gevent import monkey

from sqsjkr_gevent.log import setup as logs
from sqsjkr_gevent.log import writer as module
from sqsjkr_gevent.log.writer import LogWriter
from waiting import eventually


@pytest.fixture
def pipe():
    """Both ends."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def told(count: int) -> str:
    """The line about lines that are missing."""
    return f"{count} missing"


def read(fd: int) -> str:
    """What is in the pipe now."""
    os.set_blocking(fd, False)
    text = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except BlockingIOError:
            return text.decode()
        if not piece:
            return text.decode()
        text += piece


def test_lines_come_out_whole_and_in_their_order(pipe):
    """Also those that are longer than a pipe takes at once, and text that is no UTF-8."""
    reading, writing = pipe
    writer = LogWriter(writing, told)
    lines = [f"line {number} " + "x" * (number * 37 % 6000) for number in range(20)] + ["\udc80"]
    for line in lines:
        writer.write(line)
    text = ""

    def all_of_it():
        nonlocal text
        text += read(reading)
        return text.count("\n") == len(lines)

    eventually(all_of_it)
    assert [*lines[:-1], "\\udc80"] == text.splitlines()
    assert (True, 0) == (writer.flush(10), writer.dropped)


#: A process that writes many lines at once, and says so by a file.
MANY = """
import sys
from pathlib import Path
from sqsjkr_gevent.log.writer import LogWriter

writer = LogWriter(1, str)
for number in range(3000):
    writer.write(f"{sys.argv[1]} {number} " + "x" * 100)
Path(sys.argv[1]).touch()
assert writer.flush(60)
"""


def test_lines_of_several_processes_stay_apart_in_one_pipe(pipe, tmp_path):
    """They stuck together: a write that a pipe does not take at once lets others in between."""
    reading, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    processes = [
        subprocess.Popen([sys.executable, "-c", MANY, name], stdout=writing, cwd=tmp_path)
        for name in "ab"
    ]
    eventually(lambda: all((tmp_path / name).exists() for name in "ab"), deadline=60)
    monkey.get_original("os", "close")(writing)
    with os.fdopen(reading) as stream:
        lines = stream.read().splitlines()
    assert [0, 0] == [process.wait(60) for process in processes]
    expected = {f"{name} {number} " + "x" * 100 for name in "ab" for number in range(3000)}
    assert expected == set(lines)
    assert len(expected) == len(lines)


def test_a_line_is_written_at_once_and_those_of_the_next_moment_together(pipe, monkeypatch):
    """A wake of the thread for each line would cost the jobs more than all lines do."""
    reading, writing = pipe
    writes, end_of_pause = module._write, monkey.get_original("queue", "SimpleQueue")()
    done: list[str] = []

    def write(fd, data):
        done.append(f"{data.count(10)} written")
        return writes(fd, data)

    def pause(seconds):
        done.append("pause")
        end_of_pause.get()

    monkeypatch.setattr(module, "_write", write)
    monkeypatch.setattr(module, "_sleep", pause)
    writer = LogWriter(writing, told)
    writer.write("first")
    eventually(lambda: ["1 written", "pause"] == done)
    for number in range(10):
        writer.write(f"{number}")
    end_of_pause.put(None)
    eventually(lambda: ["1 written", "pause", "10 written", "pause"] == done)
    assert ["first", *map(str, range(10))] == read(reading).splitlines()
    monkeypatch.undo()
    end_of_pause.put(None)


def test_a_full_disk_raises_nothing_and_is_told_once_there_is_room(tmp_path):
    """/dev/full is the kernel's own full disk."""
    full = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(full, told)
    for number in range(5):
        writer.write(f"lost {number}")
    assert (True, 5) == (writer.flush(10), writer.dropped)
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, full)
    writer.write("there is room")
    assert writer.flush(10)
    assert "5 missing\nthere is room\n" == (tmp_path / "log").read_text()


def test_a_reader_that_stalls_keeps_nobody_waiting_and_loses_only_what_is_too_much(pipe):
    """The hub goes on; the reader gets what fits, and then how many lines are missing."""
    reading, writing = pipe
    writer = LogWriter(writing, told, max_waiting=200_000)
    ticked = gevent.spawn(lambda: True)
    for number in range(5000):
        writer.write(f"{number} " + "x" * 100)
    assert True is ticked.get(timeout=10)
    dropped = writer.dropped
    assert 0 < dropped < 5000
    lines: list[str] = []

    def all_of_it():
        lines.extend(read(reading).splitlines())
        return writer.flush(0)

    eventually(all_of_it)
    writer.write("last")
    eventually(lambda: all_of_it() and "last" in lines)
    # It may be told in parts: while the writer waits for the reader, more lines are dropped.
    told_of = [int(line.split()[0]) for line in lines if "missing" in line]
    assert dropped == sum(told_of)
    assert 5000 - dropped + 1 == len(lines) - len(told_of)


def test_a_reader_that_has_gone_raises_nothing(pipe):
    """SIGPIPE is ignored by Python, and the error by the writer."""
    reading, writing = pipe
    monkey.get_original("os", "close")(reading)
    writer = LogWriter(writing, told)
    writer.write("nobody reads this")
    assert (True, 1) == (writer.flush(10), writer.dropped)


def test_without_a_thread_lines_are_written_where_that_takes_no_time(pipe, monkeypatch):
    """Under a limit of threads; a pipe that is full costs the line, not the hub."""

    def fail(*arguments):
        raise RuntimeError("can't start new thread")

    reading, writing = pipe
    monkeypatch.setattr(module, "_start_thread", fail)
    writer = LogWriter(writing, told)
    writer.write("one")
    for _ in range(1000):
        writer.write("x" * 4000)
    assert writer.dropped > 900
    assert "one" == read(reading).splitlines()[0]
    monkeypatch.undo()
    writer.write("two")
    assert writer.flush(10)
    assert [f"{writer.dropped} missing", "two"] == read(reading).splitlines()


def test_a_line_that_was_cut_is_not_stuck_to_the_next_one(pipe, monkeypatch):
    """A disk takes a part of it, and then no more; later it has room again."""
    reading, writing = pipe
    writes = module._write
    limit = [3]

    def little(fd, data):
        if limit[0] == 0:
            raise OSError(28, "No space left on device")
        written = writes(fd, data[: limit[0]])
        limit[0] -= written
        return written

    monkeypatch.setattr(module, "_write", little)
    writer = LogWriter(writing, told)
    writer.write("abcdef")
    assert writer.flush(10)
    limit[0] = 1000
    writer.write("next")
    assert writer.flush(10)
    assert ["abc", "1 missing", "next"] == read(reading).splitlines()


def test_others_write_to_the_log_in_whole_lines(pipe):
    """Python's warnings, gevent's tracebacks."""
    reading, writing = pipe
    writer = LogWriter(writing, told)
    stream = logs._Stream(writer)
    print("one", 2, file=stream)
    stream.write("three\nfo")
    assert writer.flush(10)
    assert "one 2\nthree\n" == read(reading)
    assert (writing, False) == (stream.fileno(), stream.isatty())
