"""The watcher alone: what it ends once its kicker is gone, and what lives on."""

import subprocess
import sys
import time

import psutil
import pytest

from sqsjkr_gevent.process import Guard, Runs, watcher
from sqsjkr_gevent.process import runs as runs_module
from waiting import eventually


@pytest.fixture
def make_runs(tmp_path, monkeypatch):
    """Files of live runs in a directory of the test's own."""
    monkeypatch.setattr(runs_module.tempfile, "tempdir", str(tmp_path))

    def make(mark: str) -> Runs:
        runs = Runs(mark)
        runs.open()
        return runs

    return make


def watch(runs: Runs, mark: str, silence: float = 5) -> subprocess.Popen:
    """The watcher of a kicker of that name."""
    return subprocess.Popen(
        [
            sys.executable, "-I", "-S", watcher.__file__,
            mark, str(silence), str(runs.fd), runs.directory,
        ],
        stdin=subprocess.PIPE,
        pass_fds=[runs.fd],
    )  # fmt: skip


def marked(mark: str) -> subprocess.Popen:
    """A process of that run."""
    process = subprocess.Popen(
        ["sleep", "300"], env={watcher.VARIABLE: mark, "PATH": "/usr/bin:/bin"}
    )
    eventually(lambda: process.poll() is not None or psutil.Process(process.pid).name() == "sleep")
    return process


def test_a_process_that_gets_its_mark_after_the_kickers_death_is_ended_too(make_runs):
    """It was being started: until it executes its command nothing tells whose it is."""
    runs = make_runs("a-kicker")
    runs.begin("a-kicker:1")
    watching = watch(runs, "a-kicker")
    first = marked("a-kicker:1")
    watching.stdin.close()
    assert -9 == first.wait(timeout=10)
    time.sleep(0.3)  # The subject: a start that takes so long.
    late = marked("a-kicker:1")
    other = marked("another-kicker:1")
    assert -9 == late.wait(timeout=10)
    assert 0 == watching.wait(timeout=20)
    assert None is other.poll()
    other.kill()
    other.wait()


def test_what_a_finished_job_left_running_outlives_a_killed_kicker(make_runs):
    """The mark is in its environment for ever; whose run it was is over."""
    runs = make_runs("a-kicker")
    place = runs.begin("a-kicker:1")
    runs.begin("a-kicker:2")
    daemon, running = marked("a-kicker:1"), marked("a-kicker:2")
    runs.end(place)
    watching = watch(runs, "a-kicker")
    watching.stdin.close()
    assert -9 == running.wait(timeout=10)
    assert 0 == watching.wait(timeout=20)
    assert None is daemon.poll()
    daemon.kill()
    daemon.wait()


def test_jobs_of_a_kicker_that_died_with_its_watcher_are_ended_by_another_watcher(make_runs):
    """Whichever is on that host: its successor's, or that of a kicker beside it."""
    dead = make_runs("dead")
    dead.begin("dead:7")
    job = marked("dead:7")
    beside = make_runs("beside")
    watching = watch(beside, "beside")
    mine = marked("beside:1")
    beside.begin("beside:1")
    watching.stdin.write(b".")
    watching.stdin.flush()
    assert None is job.poll()  # Its file is locked: it is alive.
    runs_module.os.close(dead.fd)
    dead._numbers.release()
    dead._map.close()
    for _ in iter(lambda: job.poll() is None, False):
        watching.stdin.write(b".")
        watching.stdin.flush()
        time.sleep(0.1)  # The pace of the beats.
    assert (-9, None) == (job.returncode, mine.poll())
    eventually(lambda: ["beside"] == [path.name for path in directory(beside).iterdir()])
    watching.stdin.write(watcher.FAREWELL)
    watching.stdin.close()
    assert 0 == watching.wait(timeout=20)
    mine.kill()
    mine.wait()
    beside.close()
    assert not directory(beside).exists()


def directory(runs: Runs):
    """Where the files of live runs are."""
    from pathlib import Path

    return Path(runs.directory)


def test_runs_are_noted_beyond_the_room_there_is_at_first(make_runs):
    """And a place that is free is used again."""
    runs = make_runs("k")
    places = [runs.begin(f"k:{number}") for number in range(1, 2001)]
    assert set(range(1, 2001)) == watcher.live(runs.fd)
    for place in places[:1999]:
        runs.end(place)
    assert {2000} == watcher.live(runs.fd)
    assert None is runs.begin("another:1")
    assert runs.begin("k:3000") in places
    assert {2000, 3000} == watcher.live(runs.fd)
    runs.close()


def test_without_a_directory_of_its_own_only_the_watcher_has_the_file(make_runs, tmp_path):
    """Whoever else could write there could have processes killed."""
    place = tmp_path / f"sqsjkr-gevent-{runs_module.os.geteuid()}"
    place.mkdir()
    place.chmod(0o777)
    runs = make_runs("k")
    runs.begin("k:5")
    assert (None, {5}, []) == (runs.directory, watcher.live(runs.fd), list(place.iterdir()))
    runs.close()


def test_a_watcher_that_does_not_end_keeps_no_stop_waiting(make_runs, monkeypatch):
    """It may be stopped, or wait for a process that not even SIGKILL ends."""
    from sqsjkr_gevent.process import guard as guard_module

    monkeypatch.setattr(guard_module, "_FAREWELL_WITHIN", 0.2)
    guard = Guard("k", make_runs("k"), 5)
    guard.start()
    [watching] = [p for p in psutil.Process().children() if "watcher.py" in str(p.cmdline())]
    watching.suspend()
    guard.stop()
    eventually(lambda: not watching.is_running() or watching.status() == psutil.STATUS_ZOMBIE)
