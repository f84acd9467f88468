"""The doubles for users' own tests: a kicker runs on them as on the real ones."""

import json
from pathlib import Path

import gevent
import pytest

from sqsjkr_gevent import Config, Kicker, Locker, Throttler
from sqsjkr_gevent.job import Outcome
from sqsjkr_gevent.telemetry import Query
from sqsjkr_gevent.testing import FakeLocker, FakeQueue, FakeThrottler, run_all


@pytest.fixture
def queue() -> FakeQueue:
    """An empty queue."""
    return FakeQueue()


def a_kicker(queue: FakeQueue, **more: object) -> Kicker:
    """A kicker on doubles."""
    conf = Config.new(account_id="1", region="r", queue_name="jobs", **more)
    locker: Locker = FakeLocker()
    throttler: Throttler = FakeThrottler()
    return Kicker(conf, queue=queue, locker=locker, throttler=throttler)


def test_jobs_of_a_fake_queue_run_as_those_of_a_real_one(queue, tmp_path: Path):
    """The commands are real; each message has a fate, and the history their outputs."""
    locker = FakeLocker()
    conf = Config.new(account_id="1", region="r", queue_name="jobs")
    kicker = Kicker(conf, queue=queue, locker=locker, throttler=FakeThrottler())
    good = queue.send({"command": f"echo $A > {tmp_path}/out; echo done", "env": {"A": "a"}})
    bad = queue.send({"command": "exit 3", "lock_id": "L"})
    invalid = queue.send("no json")
    run_all(kicker, queue)
    assert {good: "deleted", bad: "deleted", invalid: "dead-letter"} == queue.fates
    assert "a\n" == (tmp_path / "out").read_text()
    [end] = kicker.view.history.find(Query(job_id=good))
    assert ("succeeded", "done\n") == (end.outcome, end.output)
    assert (1, 1, 1) == tuple(
        kicker.stats[outcome] for outcome in (Outcome.SUCCEEDED, Outcome.ERRORED, Outcome.INVALID)
    )
    assert [("lock", "L"), ("unlock", "L")] == locker.calls
    [(body, reason)] = queue.dead_letters
    assert ("no json", True) == (body, "not JSON" in reason)


def test_a_job_that_is_retried_is_received_again_at_once(queue):
    """And its attempts are counted, up to the last."""
    kicker = a_kicker(queue, exit_codes=[3], max_attempts=3)
    job_id = queue.send({"command": "echo $SQSJKR_RECEIVE_COUNT; exit 3"})
    run_all(kicker, queue)
    ends = kicker.view.history.find(Query(job_id=job_id))
    assert ["3\n", "2\n", "1\n"] == [end.output for end in ends]
    assert [json.dumps({"command": "echo $SQSJKR_RECEIVE_COUNT; exit 3"})] == [
        body for body, _ in queue.dead_letters
    ]


@pytest.mark.parametrize(("name", "at_once"), [("fake", 3), ("fake.fifo", 1)])
def test_a_message_group_orders_jobs_only_where_the_queue_is_a_fifo_queue(
    tmp_path: Path, name: str, at_once: int
):
    """As of a real queue it is the name that says so, whichever queue the config names."""
    queue = FakeQueue(name=name)
    kicker = a_kicker(queue)
    room, most = kicker.parts.room, 0

    def look() -> None:
        nonlocal most
        while True:
            most = max(most, kicker.busy)
            if kicker.busy == at_once and kicker.busy + len(room) == 3:
                (tmp_path / "go").touch()
            gevent.sleep(0.01)

    watching = gevent.spawn(look)
    for _ in range(3):
        queue.send({"command": f"until [ -e {tmp_path}/go ]; do sleep 0.05; done"}, group_id="g")
    run_all(kicker, queue)
    watching.kill()
    assert (at_once, 3) == (most, kicker.stats[Outcome.SUCCEEDED])


def test_what_a_fake_throttler_has_seen_does_not_run(queue, tmp_path: Path):
    """Nor what finds its lock held, where it does not wait."""
    throttler, locker = FakeThrottler(), FakeLocker()
    locker.lock("L", "somebody")
    conf = Config.new(account_id="1", region="r", queue_name="jobs")
    kicker = Kicker(conf, queue=queue, locker=locker, throttler=throttler)
    seen = queue.send({"command": f"touch {tmp_path}/ran"})
    throttler.seen.add(seen)
    held = queue.send({"command": f"touch {tmp_path}/ran", "lock_id": "L", "abort_if_locked": True})
    run_all(kicker, queue)
    assert {seen: "deleted", held: "deleted"} == queue.fates
    assert (1, 1) == (kicker.stats[Outcome.DUPLICATE], kicker.stats[Outcome.FAILED])
    assert [] == list(tmp_path.iterdir())
    assert {"L": "somebody"} == locker.holders


def test_a_queue_that_is_not_worked_off_in_time_is_an_assertion(queue):
    """So that a test of one's own fails instead of standing still."""
    kicker = a_kicker(queue, shutdown_timeout=0, kill_grace=0)
    queue.send({"command": "sleep 1000"})
    with pytest.raises(AssertionError, match="not all messages are settled within 1 s"):
        run_all(kicker, queue, within=1)
