"""Kills and standstills at random over a fleet, among jobs that escape and logs that fail."""

import fcntl
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import psutil
import pytest

from jobs import Evidence
from kickers import KickerProcess, settings
from waiting import eventually

#: Faults, and jobs among which they come.
FAULTS = int(os.environ.get("SQSJKR_TEST_FAULTS", "200"))
JOBS = 3 * FAULTS // 2

#: Seconds: short, so that what waits for a lease to lapse does not wait long.
LEASE = 6

#: Seconds for all jobs to be done once the faults are over.
LONG = 400.0

#: How a job's command is run: plainly, or away from its process group, with its output elsewhere.
SHAPES = (
    "sh -c '{}'",
    "timeout 60 sh -c '{}'",
    "setsid -w sh -c '{}' >/dev/null 2>&1",
    "timeout 60 setsid -w sh -c '{}' >/dev/null 2>&1",
    "sh -c '{}' >/dev/null 2>&1",
    "setsid -f sh -c '{}'",
)


class Host:
    """One whose kicker is started anew when it dies. start: starts it."""

    def __init__(self, start: Callable[[], KickerProcess]) -> None:
        self._start = start
        self.kickers = [start()]

    @property
    def kicker(self) -> KickerProcess:
        """The newest."""
        return self.kickers[-1]

    def victims(self) -> list[psutil.Process]:
        """Its kicker, and the workers if that is the master of a fleet."""
        if self.kicker.process.poll() is not None:
            self.kickers.append(self._start())
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.kicker.pid)
            workers = [p for p in process.children() if "gunicorn" in " ".join(p.cmdline())]
            return [process, *workers]
        return []

    def can_be_stopped(self) -> bool:
        """It lives, and heeds SIGTERM by now."""
        return any(heeds(process, signal.SIGTERM) for process in self.victims()[:1])


@pytest.fixture
def hosts(aws, queue, table, kick) -> Iterator[list[Host]]:
    """A fleet of two processes, one kicker whose log's disk is full, one whose reader stalls."""
    config = settings(aws, queue, table, sqs={"visibility_timeout": LEASE})
    config["locker"]["lease"] = LEASE
    config["kicker"]["max_concurrent_num"] = 4
    full = os.open("/dev/full", os.O_WRONLY)
    reading, stalled = os.pipe()
    fcntl.fcntl(stalled, fcntl.F_SETPIPE_SZ, 4096)
    yield [
        Host(lambda: kick(config, arguments=("--processes", "2"))),
        Host(lambda: kick(config, stderr=full)),
        Host(lambda: kick(config, stderr=stalled)),
    ]
    for fd in (full, reading, stalled):
        os.close(fd)


def stand_still(victim: psutil.Process, seconds: float) -> None:
    """For so long; it may be killed meanwhile."""
    with suppress(psutil.NoSuchProcess):
        victim.suspend()
        gevent.spawn_later(seconds, wake, victim)


def wake(victim: psutil.Process) -> None:
    """Let it go on, if it lives."""
    with suppress(psutil.NoSuchProcess):
        victim.resume()


def kill(victim: psutil.Process) -> None:
    """Once this returns it is dead, and a host sees that."""
    with suppress(psutil.NoSuchProcess):
        victim.kill()
        eventually(lambda: victim.status() == psutil.STATUS_ZOMBIE, deadline=60)


def heeds(process: psutil.Process, number: signal.Signals) -> bool:
    """It has a handler for that signal, proc(5)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=LEASE)
def test_two_hundred_kills_and_standstills_lose_nothing_and_overlap_nothing(
    aws, queue, tmp_path, hosts
):
    """Each job had its effect, and none ran beside another run of it or of its lock."""
    seed = int(os.environ.get("SQSJKR_TEST_SEED", random.randrange(10**6)))
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    evidence = Evidence(tmp_path)
    for number in range(JOBS):
        lock = f"L{number % 8}" if number % 2 else None
        job = evidence.job(f"j{number}", round(chance.uniform(0.05, 1.0), 2), lock)
        queue.send(job | {"command": chance.choice(SHAPES).format(job["command"])})
    kills = 0
    for _ in range(FAULTS):
        gevent.sleep(chance.uniform(0.05, 1.0))  # The random moment is the subject.
        victim = chance.choice([*eventually(chance.choice(hosts).victims, deadline=60)])
        if chance.random() < 0.5:
            kills += 1
            kill(victim)
        else:
            stand_still(victim, chance.uniform(0.1, 2 * LEASE))
    sys.stdout.write(f"{kills} kills, {FAULTS - kills} standstills, {len(evidence.done)} done\n")
    for host in hosts:
        for victim in host.victims():
            wake(victim)
    eventually(queue.is_empty, deadline=LONG, every=0.5)
    assert [] == evidence.faults()
    again = sum(evidence.begun.values()) - JOBS
    sys.stdout.write(f"{again} runs were cut short and made again\n")
    for host in hosts:
        eventually(host.can_be_stopped, deadline=60)
        assert 0 == host.kicker.stop()
