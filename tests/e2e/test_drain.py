"""Signals: what runs is done, what has not started is back in the queue, nothing is left."""

import signal
import time

import psutil
import pytest

from gates import Gate
from kickers import settings
from sqsjkr_gevent.signals import STRAY, name_of
from waiting import eventually


def ready(kicker, queue, tmp_path):
    """A kicker of two slots with two jobs running, three waiting for a lock, and more queued."""
    go = tmp_path / "go"
    running = f"until [ -e {go} ]; do sleep 0.05; done; echo x >> {tmp_path}/done"
    queue.send({"command": running, "lock_id": "L"})
    kicker.says("job started", count=1)
    for _ in range(3):
        queue.send({"command": "echo never", "lock_id": "L"})
    kicker.says("waits for its lock", count=3)
    queue.send({"command": running})
    kicker.says("job started", count=2)
    for _ in range(4):
        queue.send({"command": "echo never"})
    return go


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP], ids=lambda n: n.name
)
@pytest.mark.queue(visibility_timeout=600)
def test_a_signal_lets_running_jobs_end_and_gives_the_rest_back_at_once(
    aws, queue, table, tmp_path, kick, number
):
    """Two are done, seven are visible although their visibility timeout is long; exit 0."""
    config = settings(
        aws, queue, table, sqs={"visibility_timeout": 600}, kicker={"max_concurrent_num": 2}
    )
    kicker = kick(config)
    go = ready(kicker, queue, tmp_path)
    kicker.send(number)
    eventually(lambda: {"visible": 7, "in_flight": 2, "delayed": 0} == queue.counts(), deadline=30)
    go.touch()
    assert 0 == kicker.wait()
    assert {"visible": 7, "in_flight": 0, "delayed": 0} == queue.counts()
    assert ["x", "x"] == (tmp_path / "done").read_text().split()
    assert {"done"} == {r["Status"]["S"] for r in table.rows() if r["Type"]["S"] == "throttle"}
    assert [] == [row for row in table.rows() if "EventId" in row]
    assert [] == kicker.lines(level="warning")


def test_a_signal_that_asks_for_nothing_leaves_the_kicker_and_its_jobs_alone(
    aws, queue, tmp_path, kick
):
    """A log rotation that sends SIGUSR1 to whatever runs must not end a day's work, as in Go."""
    kicker = kick(settings(aws, queue))
    gate = Gate(tmp_path)
    job_id = queue.send({"command": f"{gate.command}; grep -E 'Sig(Ign|Blk)' /proc/self/status"})
    kicker.says("job started")
    for number in STRAY:
        kicker.send(number)
        kicker.says("signal ignored", signal=name_of(number))
    gate.open()
    output = kicker.says("job succeeded", job_id=job_id)["output"]
    assert ["0" * 16] * 2 == [line.split()[1] for line in output.splitlines()]
    assert 1 == len(kicker.lines("job started"))
    assert 0 == kicker.stop()


@pytest.mark.queue(visibility_timeout=600)
def test_a_second_signal_skips_the_wait_and_ends_within_the_grace(
    aws, queue, table, tmp_path, kick
):
    """Running jobs are killed and their messages are back at once; exit 0."""
    config = settings(
        aws,
        queue,
        table,
        sqs={"visibility_timeout": 600},
        kicker={"max_concurrent_num": 2, "shutdown_timeout": "10m", "kill_grace": "1s"},
    )
    kicker = kick(config)
    queue.send({"command": "trap '' TERM; echo $$ > pid; sleep 600; sleep 600"})
    pid = int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    kicker.send(signal.SIGTERM)
    kicker.says("draining")
    kicker.send(signal.SIGTERM)
    assert 0 == kicker.wait(deadline=30)
    assert not psutil.pid_exists(pid)
    assert {"visible": 1, "in_flight": 0, "delayed": 0} == queue.counts()
    assert [] == table.rows()


@pytest.mark.queue(visibility_timeout=600)
def test_jobs_over_the_shutdown_timeout_are_killed_and_returned(aws, queue, table, kick):
    """shutdown_timeout bounds the drain."""
    config = settings(aws, queue, table, kicker={"shutdown_timeout": "500ms"})
    kicker = kick(config)
    queue.send({"command": "sleep 600"})
    kicker.says("job started")
    assert 0 == kicker.stop()
    assert (
        "killed because the kicker stopped (signal SIGTERM)"
        == (kicker.lines("job returned")[0]["reason"])
    )
    assert {"visible": 1, "in_flight": 0, "delayed": 0} == queue.counts()


def test_at_most_once_does_not_return_a_job_that_was_begun(aws, queue, table, kick):
    """Its message is gone, so it ends as errored."""
    config = settings(
        aws,
        queue,
        table,
        sqs={"delivery": "at_most_once"},
        kicker={"shutdown_timeout": "500ms"},
    )
    kicker = kick(config)
    queue.send({"command": "sleep 600"})
    kicker.says("job started")
    assert 0 == kicker.stop()
    assert 1 == len(kicker.lines("job errored"))
    assert queue.is_empty()


@pytest.mark.queue(visibility_timeout=600)
def test_what_a_poll_under_way_brings_after_a_stop_is_given_back(aws, queue, kick):
    """The poll is not hung up; its message is visible again, unrun."""
    config = settings(aws, queue, sqs={"wait_time": 20, "visibility_timeout": 600})
    kicker = kick(config).started()
    # An idle kicker has one poll under way, which the message ends.
    kicker.send(signal.SIGTERM)
    kicker.says("draining")
    began = time.monotonic()
    queue.send({"command": "true"})
    assert 0 == kicker.wait()
    assert time.monotonic() - began < 20, "the poll was left to time out"
    assert [] == kicker.lines("job started")
    assert {"visible": 1, "in_flight": 0, "delayed": 0} == queue.counts()
