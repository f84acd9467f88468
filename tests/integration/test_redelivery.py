"""A run lets go of all that it holds, at the right moment and whatever happens."""

from types import SimpleNamespace

import gevent

from sqsjkr_gevent import Config, Kicker
from sqsjkr_gevent.job import Outcome
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.testing import FakeLocker, FakeQueue, FakeThrottler, run_all
from waiting import eventually


class Quick(FakeQueue):
    """One that delivers a message again before whoever gave it back hears that it did."""

    def change_visibility(self, message: Message, seconds: float) -> None:
        """Give it back, and let others go first."""
        super().change_visibility(message, seconds)
        gevent.sleep(0.2)


class Failing(FakeLocker):
    """A locker that fails once."""

    failed = False

    def lock(self, lock_id: str, event_id: str) -> None:
        """Fail, the first time."""
        if not self.failed:
            self.failed = True
            raise OSError("no store")
        super().lock(lock_id, event_id)


def test_a_message_that_comes_back_while_its_run_still_ends_is_run(tmp_path):
    """Taken for the old run's own, it was kept from everybody until a restart, and never run."""
    conf = Config.new(account_id="123456789012", region="eu-west-1", queue_name="jobs")
    queue = Quick()
    queue.send({"command": f"touch {tmp_path}/ran", "lock_id": "L"})
    kicker = Kicker(conf, queue=queue, locker=Failing(), throttler=FakeThrottler())
    run_all(kicker, queue)
    assert (1, True) == (kicker.stats[Outcome.SUCCEEDED], (tmp_path / "ran").exists())
    assert {} == kicker.parts.runs_alive


def test_whatever_raises_after_a_claim_nothing_of_the_run_is_held_on_to(monkeypatch):
    """Renewed for ever, its claim and its message were kept from everybody until a restart."""

    def fail(*arguments):
        raise ZeroDivisionError

    conf = Config.new(
        account_id="123456789012",
        region="eu-west-1",
        queue_name="jobs",
        throttler_backend="sqlite",
        throttler_table=":memory:",
    )
    queue = FakeQueue()
    kicker = Kicker(conf, queue=queue, locker=FakeLocker())
    monkeypatch.setattr("sqsjkr_gevent.worker.settler.Settler.settle", fail)
    monkeypatch.setattr("sqsjkr_gevent.worker.worker.log", SimpleNamespace(info=fail, error=fail))
    queue.send({"command": "true", "life_time": "1ns"})
    running = gevent.spawn(kicker.run, handle_signals=False, serve_stats=False)
    eventually(lambda: queue.depth().in_flight and not kicker.parts.runs_alive)
    leases = [lease for lease in kicker.parts.keeper._leases if not lease.is_over]
    assert ([], 0) == (leases, kicker.parts.permits._unsettled)
    kicker.stop()
    running.get(timeout=30)
