"""Calls in native threads, and what the hub waits for meanwhile."""

import subprocess
import sys

import gevent
import pytest

from sqsjkr_gevent import threads as module
from sqsjkr_gevent.errors import StoreError
from sqsjkr_gevent.stores.sqlite_file import SqliteFile
from sqsjkr_gevent.threads import Call, Threads


class Answer(Call):
    """One that raises, or not."""

    def __init__(self, fault: Exception | None = None) -> None:
        super().__init__()
        self._fault = fault

    def make(self) -> None:
        """Raise, or not."""
        if self._fault is not None:
            raise self._fault


def test_what_a_call_raises_is_for_whoever_waits():
    """A thread that died of it would make no other call."""
    threads = Threads(1)
    fault = ZeroDivisionError()
    for call in (Answer(fault), Answer()):
        threads.submit(call)
        assert None is call.wait()
        assert (call._fault, True) == (call.raised, call.is_over)
    threads.close()


def test_an_interrupted_wait_ends_with_the_call_and_not_before():
    """Until then the thread uses what belongs to the call."""
    threads = Threads(1)
    call = Answer()
    waiting = gevent.spawn(call.wait)
    gevent.sleep(0)
    gevent.spawn(waiting.throw, gevent.Timeout(0))
    gevent.sleep(0)
    assert not waiting.ready()
    threads.submit(call)
    assert isinstance(waiting.get(timeout=10), gevent.Timeout)
    threads.close()


IDLE = """
from gevent import monkey; monkey.patch_all()
import gevent
from sqsjkr_gevent.threads import Call, Threads

class Nothing(Call):
    def make(self): pass

threads, call = Threads(1), Nothing()
threads.submit(call)
call.wait()
gevent.wait()
"""


def test_threads_that_have_nothing_to_do_keep_no_program_from_its_end():
    """A hub that waits for one of them would wait for ever."""
    assert 0 == subprocess.run([sys.executable, "-c", IDLE], timeout=60).returncode


def test_a_file_without_a_thread_is_a_store_that_fails(tmp_path, monkeypatch):
    """And not a fault that nobody foresaw; what was asked for is not done later either."""
    file = SqliteFile(str(tmp_path / "t.db"))
    written = []

    def fail(*arguments):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_start_thread", fail)
        with pytest.raises(StoreError, match="thread"):
            file.write(lambda connection: written.append(1))
    file.write(lambda connection: written.append(2))
    assert [2] == written
    file.close()
