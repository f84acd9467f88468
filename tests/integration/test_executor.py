"""A job's run, whatever raises beside it, and whoever ends it."""

import os
import signal
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.errors import LeaseLost
from sqsjkr_gevent.intake import Permit, Permits, WaitingRoom
from sqsjkr_gevent.job import Job, Outcome
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.process import Runner, watcher
from sqsjkr_gevent.process.plain import PlainLauncher
from sqsjkr_gevent.telemetry import Metrics
from sqsjkr_gevent.worker import Run
from sqsjkr_gevent.worker import executor as executor_module
from sqsjkr_gevent.worker.environment import Environment
from sqsjkr_gevent.worker.executor import Executor
from sqsjkr_gevent.worker.keeper import Keeper, margin
from stores import Clock
from waiting import eventually

#: Seconds.
LEASE = 60.0


class Guard:
    """One that has seen no silence."""

    def now(self) -> float:
        """Any time."""
        return 0.0

    def silent_since(self, moment: float) -> bool:
        """Never."""
        return False


class Scene:
    """An executor over real processes, a run of a command, and a clock for its leases."""

    def __init__(self, command: str) -> None:
        self.clock = Clock()
        self.keeper = Keeper(self.clock)
        self.stopping = Event()
        self.launcher = PlainLauncher()
        self.runner = Runner(self.launcher, output_limit=1000, kill_grace=0.3)
        self.executor = Executor(self.runner, Environment(True), Guard(), Metrics(), self.stopping)
        message = Message(id="m", body="", receipt_handle="r", sent_at=0.0)
        message.body = f'{{"command": "{command}"}}'
        permits = Permits(1, WaitingRoom(), max_waiting=1)
        self.run = Run(message, Permit(permits), f"test-{os.getpid()}:{id(self)}", lambda: 0.0)
        self.run.job = Job.from_message(message)

    def lease(self) -> None:
        """A lease that the run needs, from now on."""
        self.run.leases.add(self.keeper.keep("lock", LEASE, lambda: None, self.run.lose))

    def processes(self) -> list[int]:
        """Those of the run."""
        return [pid for pid, mark in watcher.marked() if mark == self.run.owner]


def test_no_command_starts_on_a_lease_that_the_clock_says_has_lapsed(tmp_path):
    """As after a standstill while the lock's answer was on its way: no turn has told yet."""
    scene = Scene(f"touch {tmp_path}/ran")
    scene.lease()
    scene.clock.now += LEASE - margin(LEASE)
    with pytest.raises(LeaseLost):
        scene.executor.execute(scene.run, None)
    assert not (tmp_path / "ran").exists()


def test_a_command_whose_lease_lapses_during_its_start_is_killed_at_once(tmp_path, monkeypatch):
    """Nobody waits for the keeper's next turn, nor for kill_grace."""
    scene = Scene(f"trap '' TERM; touch {tmp_path}/ready; sleep 301; touch {tmp_path}/ran")
    scene.runner._kill_grace = 600
    scene.lease()
    start = scene.launcher.start

    def start_slowly(*arguments):
        child = start(*arguments)
        eventually((tmp_path / "ready").exists)
        scene.clock.now += LEASE
        return child

    monkeypatch.setattr(scene.launcher, "start", start_slowly)
    with pytest.raises(LeaseLost):
        scene.executor.execute(scene.run, None)
    assert ([], False) == (scene.processes(), (tmp_path / "ran").exists())


def test_a_line_of_the_log_that_raises_leaves_no_process_behind(monkeypatch):
    """The lock and the slot go next, so that it would run beside their next holder."""
    scene = Scene("sleep 301 & setsid sleep 302 & sleep 303")

    def fail(event, **fields):
        eventually(lambda: len(scene.processes()) >= 3)
        raise OSError(28, "No space left on device")

    log = SimpleNamespace(info=fail, error=fail)
    monkeypatch.setattr(executor_module, "log", log)
    with pytest.raises(OSError, match="No space"):
        scene.executor.execute(scene.run, None)
    assert [] == scene.processes()


@pytest.mark.parametrize("number", ["TERM", "INT", "HUP", "QUIT"])
@pytest.mark.parametrize("shell", ["kill -{} $$", "sh -c 'kill -{} $$'; exit $?"])
def test_a_job_that_dies_by_the_signal_of_a_stop_is_returned(number, shell, tmp_path):
    """Whoever stops a unit or a group signals all of it; the job may hear of it before us."""
    gone = tmp_path / "gone"
    scene = Scene(f"setsid -f sleep 301 >/dev/null 2>&1; touch {gone}; {shell.format(number)}")
    running = gevent.spawn(scene.executor.execute, scene.run, None)
    eventually(gone.exists)
    scene.stopping.set()
    ending = running.get(timeout=30)
    assert (Outcome.RETURNED, "stop", True) == (ending.outcome, ending.cause, ending.at_once)
    # It runs again elsewhere: nothing of it may be left here.
    assert [] == scene.processes()


def test_a_job_that_dies_by_a_signal_while_nobody_stops_has_errored(monkeypatch):
    """It is the job's own end, then."""
    monkeypatch.setattr(executor_module, "STOP_SEEN_WITHIN", 0.05)
    scene = Scene("kill -TERM $$")
    ending = scene.executor.execute(scene.run, None)
    assert (Outcome.ERRORED, -signal.SIGTERM) == (ending.outcome, ending.exit_status)
