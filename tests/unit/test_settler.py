"""SQS's limit of 12 hours, on a scripted clock; and claims that always end."""

import gevent
import pytest

from sqsjkr_gevent.config import RetrySection
from sqsjkr_gevent.errors import AttemptsExhausted, QueueError, StoreError
from sqsjkr_gevent.intake import Permit, Permits, WaitingRoom
from sqsjkr_gevent.job import Ending, Job, Outcome
from sqsjkr_gevent.message import Message
from sqsjkr_gevent.worker import Run
from sqsjkr_gevent.worker.claims import Claim
from sqsjkr_gevent.worker.keeper import Keeper
from sqsjkr_gevent.worker.retry import RetryPolicy
from sqsjkr_gevent.worker.settler import Settler

HOUR = 3600.0
VISIBILITY = 60.0


class Clock:
    """A clock that the test sets, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Queue:
    """Records what is asked of the queue. fails: what a dead letter raises."""

    has_dead_letters = False
    denied = False

    def __init__(self) -> None:
        self.timeouts: list[float] = []
        self.deleted = 0
        self.fails: QueueError | None = None
        self.dead_letters: list[str] = []

    def extend_visibility(self, message: Message, seconds: float) -> None:
        """Record it."""
        self.timeouts.append(seconds)

    def change_visibility(self, message: Message, seconds: float) -> None:
        """Record it."""
        self.timeouts.append(seconds)

    def delete(self, message: Message) -> None:
        """Record it."""
        if self.denied:
            raise QueueError("access denied")
        self.deleted += 1
        message.deleted = True

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Record it, unless it fails, or there is no queue for it."""
        if self.fails is not None:
            raise self.fails
        if self.has_dead_letters:
            self.dead_letters.append(reason)
        return self.has_dead_letters


class Process:
    """A process that runs until it is killed."""

    def kill(self, reason: str, grace: float) -> None:
        """Nothing may kill it."""
        raise AssertionError("killed")


class KilledProcess:
    """A process that notes why it is killed."""

    def __init__(self) -> None:
        self.killed: list[str] = []

    def kill(self, reason: str, grace: float) -> None:
        """Note it."""
        self.killed.append(reason)


class Throttler:
    """Every claim is granted. lease: as the protocol has it. fails: what a release raises."""

    lease = VISIBILITY

    def __init__(self) -> None:
        self.renewed = 0
        self.released = 0
        self.fails: StoreError | None = None

    def release(self, job_id: str, owner: str) -> None:
        """Count it, unless it fails."""
        if self.fails is not None:
            raise self.fails
        self.released += 1

    def done(self, job_id: str, owner: str) -> None:
        """Nothing to remember."""

    def renew(self, job_id: str, owner: str) -> None:
        """Count it."""
        self.renewed += 1


@pytest.fixture
def clock() -> Clock:
    """The keeper's clock."""
    return Clock()


@pytest.fixture
def keeper(clock: Clock) -> Keeper:
    """A keeper that the test turns."""
    return Keeper(clock)


@pytest.fixture
def queue() -> Queue:
    """What the settler speaks to."""
    return Queue()


@pytest.fixture
def settler(queue: Queue, keeper: Keeper) -> Settler:
    """At least once, every error retried once."""
    return Settler(
        queue,
        keeper,
        visibility_timeout=VISIBILITY,
        retry=RetryPolicy(RetrySection(exit_codes="any", max_attempts=1)),
        sole_guard=False,
        at_most_once=False,
    )


@pytest.fixture
def run() -> Run:
    """A run of one message."""
    message = Message(id="m", body='{"command": "true"}', receipt_handle="r", sent_at=0.0)
    permits = Permits(1, WaitingRoom(), max_waiting=1)
    return Run(message, Permit(permits), "owner", lambda: 0.0)


def recorded(within: float) -> None:
    """The history has the end at once."""


def claimed(run: Run, keeper: Keeper, throttler: Throttler) -> None:
    """The job of the run is its own."""
    run.job = Job.from_message(run.message)
    claim = run.claim = Claim(throttler, run)
    claim.lease = keeper.keep("job", VISIBILITY, claim.renew, run.lose)


def pass_time(clock: Clock, keeper: Keeper, hours: float) -> None:
    """Turn the keeper every ten seconds."""
    end = clock.now + hours * HOUR
    while clock.now < end:
        clock.now += 10
        keeper.turn()
        gevent.sleep(0)


def test_a_running_jobs_message_is_deleted_before_its_twelve_hours_end(
    settler, queue, keeper, clock, run
):
    """SQS would show it to others; the job runs on, and its message is kept no more."""
    settler.keep(run)
    with run.running(Process()):
        pass_time(clock, keeper, 11.9)
        assert (0, True) == (queue.deleted, len(queue.timeouts) > 600)
        pass_time(clock, keeper, 0.1)
        assert (1, True) == (queue.deleted, run.message.deleted)
        kept = len(queue.timeouts)
        pass_time(clock, keeper, 5)
    assert kept == len(queue.timeouts)


@pytest.mark.parametrize("timeout", [VISIBILITY, 6 * HOUR, 12 * HOUR])
def test_no_message_is_kept_invisible_beyond_its_twelve_hours(
    settler, queue, keeper, clock, run, timeout
):
    """SQS refuses a change of visibility past its limit, however long one extension is."""
    settler._visibility_timeout = timeout
    settler.keep(run)
    with run.running(Process()):
        end = 12 * HOUR
        while clock.now < end:
            before = len(queue.timeouts)
            pass_time(clock, keeper, 10 / HOUR)
            assert all(clock.now + seconds <= end for seconds in queue.timeouts[before:])


def test_a_waiting_jobs_message_is_not_deleted_and_starts_anew_when_delivered_again(
    settler, queue, keeper, clock, run
):
    """It has not run: it becomes visible, and its next delivery brings another 12 hours."""
    settler.keep(run)
    pass_time(clock, keeper, 13)
    assert 0 == queue.deleted
    settler.refresh(run, Message(id="m", body="", receipt_handle="new", sent_at=0.0))
    kept = len(queue.timeouts)
    pass_time(clock, keeper, 6)
    assert "new" == run.message.receipt_handle
    assert len(queue.timeouts) > kept + 300


def test_a_claim_is_renewed_no_more_after_a_settle_that_failed(settler, queue, keeper, clock, run):
    """Renewed for ever, it would keep its redelivery waiting for ever."""
    throttler = Throttler()
    claimed(run, keeper, throttler)
    settler.keep(run)
    queue.fails = QueueError("reset")
    throttler.fails = StoreError("reset")
    settler.settle(run, Ending(Outcome.ERRORED, "exit 1", exit_status=1), recorded)
    run.let_go()
    pass_time(clock, keeper, 1)
    assert (0, 0) == (throttler.renewed, queue.deleted)


def test_a_dead_letter_that_is_refused_is_sent_again_later_without_a_run(
    settler, queue, keeper, run
):
    """The job had its last attempt: its claim goes, and its message comes back after a back-off."""
    throttler = Throttler()
    claimed(run, keeper, throttler)
    settler.keep(run)
    queue.fails = QueueError("access denied")
    settler.settle(run, Ending(Outcome.ERRORED, "exit 1", exit_status=1), recorded)
    [seconds] = queue.timeouts
    assert (True, 0, 1) == (2.5 <= seconds <= 5, queue.deleted, throttler.released)
    run.message.receive_count = 2
    with pytest.raises(AttemptsExhausted) as raised:
        settler.check_attempts(run)
    queue.fails, queue.has_dead_letters = None, True
    ending = Ending(Outcome.FAILED, str(raised.value), "attempts", error=raised.value)
    settler.settle(run, ending, recorded)
    assert (["attempt 1 was the last"], 1) == (queue.dead_letters, queue.deleted)


def test_an_invalid_message_whose_dead_letter_is_refused_comes_back_after_a_back_off(
    settler, queue, run
):
    """Soon, for it may be a fault of a moment; later each time, for it may be for good."""
    queue.fails = QueueError("access denied")
    for receives, most in ((1, 5), (3, 20), (50, 300)):
        run.message.receive_count = receives
        settler.settle(run, Ending(Outcome.INVALID, "no JSON"), recorded)
        assert most / 2 <= queue.timeouts[-1] <= most
    assert 0 == queue.deleted


def test_no_message_is_shown_again_later_than_sqs_allows(settler, queue, keeper, clock, run):
    """Beyond 12 hours from its receive SQS refuses the change, and would show it at once."""
    settler.keep(run)
    clock.now += 11.9 * HOUR
    run.message.receive_count = 5000
    settler.settle(run, Ending(Outcome.INVALID, "no JSON"), recorded)
    settler.settle(run, Ending(Outcome.RETURNED, "store"), recorded)
    assert [True, True] == [0 < seconds <= 0.1 * HOUR for seconds in queue.timeouts]


def test_a_run_under_a_sole_guard_goes_on_beyond_its_twelve_hours(
    queue, keeper, clock, run, settler
):
    """Its message is deleted before, and so nobody else can get it: nothing is lost to anybody."""
    settler._sole_guard = True
    settler.keep(run)
    with run.running(Process()):
        pass_time(clock, keeper, 14)
        assert (1, True) == (queue.deleted, run.message.deleted)


def test_a_run_whose_delete_fails_at_its_twelve_hours_ends_under_a_sole_guard(
    queue, keeper, clock, run, settler
):
    """Its message is shown to others then, and nothing else keeps them from it."""
    settler._sole_guard = True
    settler.keep(run)
    process = KilledProcess()
    queue.denied = True
    with run.running(process):
        pass_time(clock, keeper, 12)
    assert ["lease"] == process.killed


@pytest.mark.parametrize(
    ("receives", "seconds"), [(1, 60), (2, 120), (5, 960), (10, 30720), (11, 43195), (5000, 43195)]
)
def test_an_invalid_message_without_a_dead_letter_queue_stays_invisible_longer_each_time(
    settler, queue, run, receives, seconds
):
    """Doubled with each receive, up to the 12 hours that SQS allows; never deleted."""
    run.message.receive_count = receives
    settler.settle(run, Ending(Outcome.INVALID, "no JSON"), recorded)
    assert ([seconds], 0) == (queue.timeouts, queue.deleted)


def test_a_redelivery_of_a_deleted_message_is_deleted_by_its_own_handle(settler, queue):
    """Its job is still running; a fault of SQS is only logged."""
    delivered = Message(id="m", body="", receipt_handle="new", sent_at=0.0)
    settler.drop(delivered)
    assert (1, True) == (queue.deleted, delivered.deleted)


def test_a_job_is_marked_as_done_a_quarter_of_a_second_after_its_end_though_the_disk_is_slow(
    settler, queue, keeper, run
):
    """Else a kill has it run again; its message goes only later, for the sake of the history."""
    throttler, steps = Throttler(), []
    claimed(run, keeper, throttler)
    throttler.done = lambda job_id, owner: steps.append("marked")
    queue.delete = lambda message: steps.append("deleted")
    settler.settle(run, Ending(Outcome.SUCCEEDED, "exit 0"), steps.append)
    assert [0.25, "marked", 1.0, "deleted"] == steps
