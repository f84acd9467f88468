"""The watcher alone: what it ends once its kicker is gone."""

import subprocess
import sys
import time

import psutil

from sqsjkr_gevent.process import watcher
from waiting import eventually


def test_a_process_that_gets_its_mark_after_the_kickers_death_is_ended_too():
    """It was being started: until it executes its command nothing tells whose it is."""
    watching = subprocess.Popen(
        [sys.executable, "-I", "-S", watcher.__file__, "a-kicker", "5"], stdin=subprocess.PIPE
    )
    first = marked("a-kicker")
    watching.stdin.close()
    assert -9 == first.wait(timeout=10)
    time.sleep(0.3)  # The subject: a start that takes so long.
    late = marked("a-kicker")
    other = marked("another-kicker")
    assert -9 == late.wait(timeout=10)
    assert 0 == watching.wait(timeout=20)
    assert None is other.poll()
    other.kill()
    other.wait()


def marked(mark: str) -> subprocess.Popen:
    """A process of that kicker."""
    process = subprocess.Popen(
        ["sleep", "300"], env={watcher.VARIABLE: f"{mark}:1", "PATH": "/usr/bin:/bin"}
    )
    eventually(lambda: process.poll() is not None or psutil.Process(process.pid).name() == "sleep")
    return process
