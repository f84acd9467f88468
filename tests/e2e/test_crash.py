"""Kickers that are killed or stand still: no job lost, none twice at once, nothing left behind."""

import os
import random
import signal
import sys
import time

import gevent
import psutil
import pytest

from jobs import Evidence, processes_of
from kickers import settings
from waiting import eventually

#: Seconds for all jobs to be done, on a loaded machine.
LONG = 200.0

#: Short, so that what waits for a lease to lapse does not wait long.
LEASE = 5


def short(aws, queue, table, **sections):
    """A config with short leases."""
    sections.setdefault("kicker", {})
    sections["sqs"] = {"visibility_timeout": LEASE, **sections.get("sqs", {})}
    sections["locker"] = {"lease": LEASE, **sections.get("locker", {})}
    return settings(aws, queue, table, **sections)


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=LEASE)
def test_ten_kills_at_random_moments_lose_and_double_nothing(aws, queue, table, tmp_path, kick):
    """Every effect is there, no done job ran again, none overlapped, no process is left."""
    seed = int(os.environ.get("SQSJKR_TEST_SEED", random.randrange(10**6)))
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    evidence = Evidence(tmp_path)
    for number in range(80):
        lock = f"L{number % 4}" if number % 2 else None
        queue.send(evidence.job(f"j{number}", round(chance.uniform(0.05, 1.5), 2), lock))
    config = short(aws, queue, table, kicker={"max_concurrent_num": 4})
    kickers = [kick(config), kick(config)]
    for _ in range(10):
        victim = kickers[-2].started()
        name = victim.says("started")["name"]
        victim.says("job started")
        gevent.sleep(chance.uniform(0.0, 1.5))  # The random moment is the subject.
        victim.send(signal.SIGKILL)
        victim.wait()
        eventually(lambda name=name: processes_of(name) == [], deadline=10)
        kickers.append(kick(config))
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    assert [] == evidence.faults(kickers)


@pytest.mark.queue(visibility_timeout=LEASE)
def test_the_processes_of_a_killed_kicker_die_with_it(aws, queue, table, tmp_path, kick):
    """Children, grandchildren, those that ignore signals, and those in sessions of their own."""
    ignoring = "sh -c 'trap \"\" TERM HUP INT; sleep 600'"
    queue.send({"command": f"{ignoring} & setsid {ignoring} & setsid -f {ignoring}; sleep 600"})
    kicker = kick(settings(aws, queue, table))
    name = kicker.says("started")["name"]
    eventually(lambda: len(processes_of(name)) >= 8, deadline=30)
    watcher = next(
        p for p in psutil.Process(kicker.pid).children() if "watcher.py" in str(p.cmdline())
    )
    began = time.monotonic()
    kicker.send(signal.SIGKILL)
    kicker.wait()
    eventually(lambda: processes_of(name) == [], deadline=30)
    sys.stdout.write(f"gone after {time.monotonic() - began:.2f} s\n")
    eventually(lambda: not watcher.is_running())


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=LEASE)
def test_a_killed_kickers_job_runs_again_within_its_bound(aws, queue, table, tmp_path, kick):
    """At most visibility_timeout + one lease + 5 s after the kill."""
    evidence = Evidence(tmp_path)
    queue.send(evidence.job("j", 4, "L"))
    config = short(aws, queue, table)
    first = kick(config)
    first.says("job started")
    second = kick(config).started()
    first.send(signal.SIGKILL)
    killed_at = time.monotonic()
    second.says("job started", deadline=LEASE + LEASE + 5)
    sys.stdout.write(f"runs again after {time.monotonic() - killed_at:.1f} s\n")
    eventually(queue.is_empty, deadline=LONG)
    assert ({"j": 2}, {"j": 1}, []) == (evidence.begun, evidence.done, evidence.faults())


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=LEASE)
def test_locks_of_a_killed_kicker_are_free_after_one_lease_and_never_before(
    aws, queue, table, tmp_path, kick
):
    """50 jobs of 5 locks over two kickers, one killed; abort_if_locked jobs do not wait."""
    evidence = Evidence(tmp_path)
    config = short(aws, queue, table)
    victim = kick(config)
    for lock in range(5):
        queue.send(evidence.job(f"held-{lock}", 10, f"L{lock}"))
    victim.says("job started", count=5)
    other = kick(config).started()
    victim.send(signal.SIGKILL)
    killed_at = time.time()
    victim.wait()
    for number in range(45):
        queue.send(evidence.job(f"j{number}", 0.1, f"L{number % 5}"))
    queue.send({"command": "true", "event_id": "abort", "lock_id": "L0", "abort_if_locked": True})
    other.says("job failed", event_id="abort")
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    [first, *_] = [line for line in other.lines("job started") if line.get("lock_id")]
    # A lease runs from its last renewal, which is at most a third of it before the kill.
    assert _epoch(first["timestamp"]) - killed_at >= LEASE * 2 / 3 - 0.5
    [aborted] = other.lines("job failed", event_id="abort")
    assert aborted["timestamp"] < first["timestamp"]
    assert [] == evidence.faults()


def _epoch(timestamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=LEASE)
def test_a_kicker_that_stands_still_for_three_leases_loses_its_jobs_without_overlap(
    aws, queue, table, tmp_path, kick
):
    """Its processes die before its leases lapse; awake, it finds out and says so."""
    evidence = Evidence(tmp_path)
    config = short(aws, queue, table)
    sleeper = kick(config)
    queue.send(evidence.job("first", 8, "L"))
    name = sleeper.says("started")["name"]
    sleeper.says("job started")
    other = kick(config).started()
    queue.send(evidence.job("second", 1, "L"))
    eventually(lambda: other.lines("waits for its lock") or sleeper.lines("waits for its lock"))
    sleeper.send(signal.SIGSTOP)
    stopped_at = time.monotonic()
    eventually(lambda: processes_of(name) == [], deadline=LEASE)
    other.says("job started", deadline=60)
    eventually(lambda: time.monotonic() - stopped_at > 3 * LEASE, deadline=60)
    sleeper.send(signal.SIGCONT)
    eventually(lambda: sleeper.lines("lease lost") and sleeper.lines("job returned"), deadline=30)
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    assert ({"first": 1, "second": 1}, []) == (evidence.done, evidence.faults())
    queue.send(evidence.job("later", 0))
    eventually(queue.is_empty, deadline=LONG)
    assert 1 == evidence.done["later"]
    assert [0, 0] == [sleeper.stop(), other.stop()]


def test_a_short_standstill_costs_no_job(aws, queue, table, tmp_path, kick):
    """What the watcher ended by mistake goes back, and is not taken for the job's own failure."""
    evidence = Evidence(tmp_path)
    config = short(aws, queue, table)
    kicker = kick(config)
    queue.send(evidence.job("j", 3))
    name = kicker.says("started")["name"]
    kicker.says("job started")
    kicker.send(signal.SIGSTOP)
    eventually(lambda: processes_of(name) == [], deadline=LEASE)
    kicker.send(signal.SIGCONT)
    kicker.says("job returned")
    eventually(queue.is_empty, deadline=LONG)
    assert ({"j": 1}, []) == (evidence.done, evidence.faults())
    assert [] == kicker.lines("job errored")


def test_a_watcher_that_died_is_replaced(aws, queue, table, tmp_path, kick):
    """And the new one does its work."""
    kicker = kick(settings(aws, queue, table))
    name = kicker.says("started")["name"]

    def watchers():
        children = psutil.Process(kicker.pid).children()
        return [p for p in children if "watcher.py" in " ".join(p.cmdline())]

    [first] = eventually(watchers)
    first.kill()
    kicker.says("the watcher has ended; starting another")
    [second] = eventually(lambda: [p for p in watchers() if p.pid != first.pid])
    queue.send({"command": "sleep 600"})
    kicker.says("job started")
    kicker.send(signal.SIGKILL)
    eventually(lambda: processes_of(name) == [], deadline=10)
    eventually(lambda: not second.is_running())


def test_a_clean_stop_leaves_no_watcher_and_spares_what_a_job_left_running(
    aws, queue, table, tmp_path, kick
):
    """A job may start a daemon; only a crash ends it."""
    kicker = kick(settings(aws, queue, table))
    queue.send({"command": f"sleep 600 >/dev/null 2>&1 & echo $! > {tmp_path}/pid"})
    kicker.says("job succeeded")
    children = psutil.Process(kicker.pid).children()
    assert 0 == kicker.stop()
    assert [] == [child for child in children if child.is_running()]
    daemon = psutil.Process(int((tmp_path / "pid").read_text()))
    assert daemon.is_running()
    daemon.kill()
