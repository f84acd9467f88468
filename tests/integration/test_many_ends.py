"""When thousands of jobs end at once, the hub still serves others in between."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent import monkey
from gevent.pool import Group

from sqsjkr_gevent.errors import HostExhausted
from sqsjkr_gevent.process import Runner, make_launcher
from sqsjkr_gevent.process import runner as runner_module
from sqsjkr_gevent.process import strays as strays_module
from sqsjkr_gevent.process.exits import Exits
from sqsjkr_gevent.process.spawn import _SpawnedChild
from sqsjkr_gevent.process.strays import Strays
from waiting import eventually

posix_spawn = monkey.get_original("os", "posix_spawn")


def turns_in(log: list[str], first: str, last: str) -> int:
    """How many turns others had between these two entries."""
    return log[log.index(first) : log.index(last)].count("turn")


@contextmanager
def others(log: list[str]) -> Iterator[None]:
    """Another greenlet notes each of its turns in the block.

    Only there: while it runs, libev takes seconds to see that a thread or a process has ended.
    """

    def take_turns() -> None:
        while True:
            log.append("turn")
            gevent.sleep(0)

    other = gevent.spawn(take_turns)
    yield
    other.kill()


def refuse(*_: object) -> None:
    """There is no thread: the scan is made in the hub, and ends at once."""
    raise HostExhausted("by the test")


def test_others_have_their_turn_while_many_are_killed(monkeypatch):
    """Leases are renewed and stats answered while a kicker of 10,000 jobs stops."""
    monkeypatch.setattr(runner_module, "AT_ONCE", 4)
    launcher = make_launcher("auto")
    runner = Runner(launcher, output_limit=100, kill_grace=5)
    processes = [runner.start("sleep 300", {"PATH": os.environ["PATH"]}) for _ in range(12)]
    log: list[str] = []
    with others(log):
        log.append("first")
        runner.kill_all("stop")
        log.append("last")
    assert turns_in(log, "first", "last") >= 3
    assert ["stop"] * 12 == [process.wait().killed for process in processes]
    runner.close()
    launcher.close()


def test_a_kill_of_what_is_being_killed_already_does_not_pause(monkeypatch):
    """A drain kills again and again, and must see soon that all is over."""
    monkeypatch.setattr(runner_module, "AT_ONCE", 1)
    launcher = make_launcher("auto")
    runner = Runner(launcher, output_limit=100, kill_grace=5)
    process = runner.start("sleep 300", {"PATH": os.environ["PATH"]})
    process.kill("timeout")
    log: list[str] = []
    with others(log):
        log.append("first")
        runner.kill_all("stop")
        log.append("last")
    assert 0 == turns_in(log, "first", "last")
    process.wait()
    runner.close()
    launcher.close()


def test_others_have_their_turn_while_many_learn_what_is_left(monkeypatch):
    """One scan of /proc serves all that are being killed, but does not wake all of them at once."""
    monkeypatch.setattr(strays_module, "AT_ONCE", 1)
    monkeypatch.setattr(strays_module.Threads, "submit", refuse)
    strays, log = Strays(), []
    askers = Group()
    for number in range(10):
        asker = askers.spawn(strays.find, f"no such run:{number}", None)
        asker.link(lambda _, number=number: log.append(f"asker {number}"))
    with others(log):
        askers.join()
        eventually(lambda: "asker 9" in log)
    assert turns_in(log, "asker 0", "asker 9") >= 5
    strays.close()


def test_the_hub_looks_around_while_many_exits_are_handled():
    """Each exit takes a while: reading the output, waking who waits for it."""
    exits, log, interval = Exits(), [], sys.getswitchinterval()
    pids = []
    for _ in range(200):
        exits.expect()
        pids.append(posix_spawn("/bin/true", ["true"], {}))
    for pid in pids:
        # Without the hub, so that it finds all of them at once.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        child = _SpawnedChild(pid, -1)
        child.on_exit(lambda pid=pid: log.append(pid))
        exits.started(pid, child.exited)
    timer = gevent.get_hub().loop.timer(0.0001, 0.0001)
    timer.start(log.append, "turn")
    sys.setswitchinterval(1e-6)  # After this time gevent lets timers and sockets have their turn.
    try:
        eventually(lambda: set(pids) <= set(log))
    finally:
        sys.setswitchinterval(interval)
        timer.stop()
        timer.close()
        exits.close()
    ended = [index for index, entry in enumerate(log) if entry != "turn"]
    assert "turn" in log[ended[0] : ended[-1]]
