"""What every throttler promises, over each backend, seen from two hosts that share one store."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError
from gevent.event import Event

from servers import Table
from sqsjkr_gevent.aws import Client
from sqsjkr_gevent.aws.table import Table as StoreTable
from sqsjkr_gevent.errors import DuplicatedMessage, JobInProgress, LeaseLost, StartError, StoreError
from sqsjkr_gevent.stores import InProgress, LeasedThrottler, ListedThrottler, as_leased_throttler
from sqsjkr_gevent.stores.dynamodb import DynamoDBThrottler
from stores import (
    BACKENDS,
    LEASE,
    LEASED,
    RETENTION,
    Clock,
    dynamodb,
    dynamodb_client,
    dynamodb_singly,
    memory,
    over,
    redis,
)

Make = Callable[..., LeasedThrottler]


@dataclass
class Hosts:
    """Two throttlers over one store, each with the clock of its host; make: makes one more."""

    make: Make
    one: LeasedThrottler
    other: LeasedThrottler
    clock_of_one: Clock
    clock_of_other: Clock


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.__name__)
def hosts(request):
    """Two hosts over each backend."""
    store = request.param(request)
    clocks = Clock(), Clock(5.0)
    return Hosts(store.throttler, store.throttler(clocks[0]), store.throttler(clocks[1]), *clocks)


#: Only the backends whose claims lapse.
leased = over(*LEASED)
#: Only DynamoDB, whose rows others read.
on_dynamodb = over(dynamodb, dynamodb_singly)


def lapses_in(throttler: LeasedThrottler, owner: str = "b") -> float | None:
    """What a try at job J, which is in progress, says of the lease on it."""
    with pytest.raises(JobInProgress) as refused:
        throttler.claim("J", owner=owner)
    return refused.value.lapses_in


def is_done(throttler: LeasedThrottler, owner: str = "b") -> bool:
    """Whether a claim of job J is refused because it is done."""
    try:
        throttler.claim("J", owner=owner)
    except DuplicatedMessage:
        return True
    return False


def test_it_is_a_leased_throttler(hosts):
    """The package speaks to it as it is, without the adapter for custom throttlers."""
    assert as_leased_throttler(hosts.one) is hosts.one


def test_a_claimed_job_is_in_progress_for_both_hosts_and_others_are_free(hosts):
    """In progress, not done: the message of a job that runs must not be deleted."""
    assert None is hosts.one.claim("J", owner="a")
    lapses_in(hosts.one)
    lapses_in(hosts.other)
    assert None is hosts.other.claim("K", owner="b")


def test_a_done_job_is_a_duplicate_for_both_hosts_for_good(hosts):
    """Done is not in progress, and no time makes it claimable while it is retained."""
    hosts.one.claim("J", owner="a")
    hosts.one.done("J", "a")
    assert is_done(hosts.one)
    assert is_done(hosts.other)
    hosts.clock_of_one.now += 1000 * LEASE
    hosts.clock_of_other.now += 1000 * LEASE
    assert is_done(hosts.one)
    assert is_done(hosts.other)


def test_a_released_job_may_be_claimed_again(hosts):
    """It did not run; the redelivery of its message does, on whichever host."""
    hosts.one.claim("J", owner="a")
    hosts.one.release("J", "a")
    assert None is hosts.other.claim("J", owner="b")
    lapses_in(hosts.one, owner="a")


def test_a_done_job_that_has_to_run_after_all_is_released_by_its_owner(hosts):
    """at_most_once marks before it deletes; where the delete fails the job goes back."""
    hosts.one.claim("J", owner="a")
    hosts.one.done("J", "a")
    hosts.one.release("J", "a")
    assert None is hosts.other.claim("J", owner="b")


def test_only_the_owner_renews_and_releases(hosts):
    """LeaseLost to everybody else, and the job stays in progress."""
    hosts.one.claim("J", owner="a")
    for change in (hosts.one.renew, hosts.one.release, hosts.other.renew, hosts.other.release):
        with pytest.raises(LeaseLost):
            change("J", "b")
    lapses_in(hosts.other)
    hosts.one.renew("J", "a")
    hosts.one.release("J", "a")


def test_a_released_done_or_unknown_job_cannot_be_renewed(hosts):
    """Nobody has it in progress any more."""
    hosts.one.claim("J", owner="a")
    hosts.one.done("J", "a")
    hosts.one.claim("K", owner="a")
    hosts.one.release("K", "a")
    for job_id in ("J", "K", "never"):
        with pytest.raises(LeaseLost):
            hosts.one.renew(job_id, "a")


def test_a_released_or_unknown_job_cannot_be_released(hosts):
    """LeaseLost, so that a run that lost its job learns of it."""
    hosts.one.claim("K", owner="a")
    hosts.one.release("K", "a")
    for job_id in ("K", "never"):
        with pytest.raises(LeaseLost):
            hosts.one.release(job_id, "a")


def test_an_own_earlier_try_whose_answer_was_lost_counts_as_success(hosts):
    """The same owner asks again and has the job."""
    hosts.one.claim("J", owner="a")
    assert None is hosts.one.claim("J", owner="a")
    lapses_in(hosts.other)
    hosts.one.done("J", "a")
    assert is_done(hosts.other)


def test_of_twenty_greenlets_one_claims_the_job(hosts):
    """Ten on each host ask at the same moment."""
    go, got = Event(), []

    def ask(number: int) -> None:
        host = (hosts.one, hosts.other)[number % 2]
        go.wait()
        try:
            host.claim("J", owner=f"owner-{number}")
        except JobInProgress:
            return
        got.append(number)

    asking = [gevent.spawn(ask, number) for number in range(20)]
    go.set()
    gevent.joinall(asking, raise_error=True)
    assert 1 == len(got)


def test_a_done_job_is_forgotten_after_its_retention(hosts):
    """Expiry is judged by the claim itself: DynamoDB's TTL may lag two days."""
    hosts.other.claim("K", owner="b")  # What is swept up at the first claim is no condition.
    short = hosts.make(hosts.clock_of_one, retention=-10.0)  # It is over already.
    short.claim("J", owner="a")
    short.done("J", "a")
    assert None is hosts.other.claim("J", owner="b")


def test_a_done_job_is_remembered_from_its_end_on(hosts):
    """A job may take longer than the retention; counted from its start, its mark would be void."""
    short = hosts.make(hosts.clock_of_one, retention=-10.0)  # It is over already.
    short.claim("J", owner="a")
    hosts.one.done("J", "a")
    assert is_done(hosts.other)


@over(memory)
def test_a_claim_without_a_lease_says_that_it_never_lapses(hosts):
    """lapses_in is None: waiting for a lapse would be in vain."""
    hosts.one.claim("J", owner="a")
    assert (None, None) == (hosts.one.lease, lapses_in(hosts.other))


@leased
def test_a_job_is_taken_over_after_a_whole_lease_unchanged_and_never_before(hosts):
    """On the observer's clock; the claim answers whose run it takes over."""
    hosts.one.claim("J", owner="a")
    assert LEASE == lapses_in(hosts.other)
    hosts.clock_of_one.now += 10 * LEASE
    hosts.clock_of_other.now += LEASE - 0.25
    assert 0.25 == lapses_in(hosts.other)
    hosts.clock_of_other.now += 0.25
    assert "a" == hosts.other.claim("J", owner="b")
    with pytest.raises(LeaseLost):
        hosts.one.renew("J", "a")
    with pytest.raises(LeaseLost):
        hosts.one.release("J", "a")
    assert LEASE == lapses_in(hosts.one, owner="c")


@leased
def test_a_job_that_nobody_looked_at_for_long_is_watched_for_a_lease_first(hosts):
    """A first look says nothing about the time before it."""
    hosts.one.claim("J", owner="a")
    hosts.clock_of_other.now += 100 * LEASE
    assert LEASE == lapses_in(hosts.other)


@leased
def test_a_renewal_starts_the_watch_anew(hosts):
    """However close to its end the lease was."""
    hosts.one.claim("J", owner="a")
    lapses_in(hosts.other)
    hosts.clock_of_other.now += LEASE - 1
    hosts.one.renew("J", "a")
    assert LEASE == lapses_in(hosts.other)
    hosts.clock_of_other.now += LEASE - 1
    assert 1 == lapses_in(hosts.other)


@leased
def test_a_job_that_is_done_during_the_watch_is_a_duplicate(hosts):
    """Also for a host whose watch says that the lease has lapsed."""
    hosts.one.claim("J", owner="a")
    lapses_in(hosts.other)
    hosts.clock_of_other.now += LEASE
    hosts.one.done("J", "a")
    assert is_done(hosts.other)


@leased
def test_of_many_that_saw_the_lease_lapse_one_takes_the_job_over(hosts):
    """The others see a new owner."""
    hosts.one.claim("J", owner="a")
    lapses_in(hosts.one)
    lapses_in(hosts.other)
    hosts.clock_of_one.now += LEASE
    hosts.clock_of_other.now += LEASE
    got = []

    def ask(number: int) -> None:
        try:
            (hosts.one, hosts.other)[number % 2].claim("J", owner=f"owner-{number}")
        except JobInProgress:
            return
        got.append(number)

    gevent.joinall([gevent.spawn(ask, number) for number in range(20)], raise_error=True)
    assert 1 == len(got)


@over(dynamodb, dynamodb_singly, redis)
def test_jobs_in_progress_are_listed_and_forgotten_as_they_were_seen(hosts):
    """Done ones are not; one that was renewed since lives, and is left alone."""
    hosts.one.claim("J", owner="a")
    hosts.one.claim("K", owner="b")
    hosts.one.claim("done", owner="c")
    hosts.one.done("done", "c")
    assert isinstance(hosts.other, ListedThrottler)
    seen = {one.job_id: one for one in hosts.other.running()}
    expected = InProgress(job_id="J", owner="a", version=1, lease=LEASE)
    assert ({"J", "K"}, expected) == (seen.keys(), seen["J"])
    hosts.one.renew("K", "b")
    assert (True, False) == (hosts.other.forget(seen["J"]), hosts.other.forget(seen["K"]))
    assert not hosts.other.forget(seen["J"])
    assert {"K"} == {one.job_id for one in hosts.other.running()}


# The rows of DynamoDB, which sqsjkr reads and writes as well.


def sqsjkr_sets(table: Table, expired: int) -> None:
    """What a sqsjkr host does before it runs job J; raises where the job was seen."""
    table.dynamodb.update_item(
        TableName=table.name,
        Key={"Id": {"S": "J"}, "Type": {"S": "throttle"}},
        UpdateExpression="SET Expired = :n",
        ConditionExpression="attribute_not_exists(Expired)",
        ExpressionAttributeValues={":n": {"N": str(expired)}},
    )


def check_expired(row: dict[str, Any], before: float) -> None:
    """The row expires after its retention, in whole seconds since the epoch."""
    expired = row["Expired"]["N"]
    assert expired.isdigit()
    assert int(before + RETENTION) <= int(expired) <= time.time() + RETENTION


@on_dynamodb
def test_the_row_of_a_job_in_progress_is_sqsjkrs_with_ours_beside(hosts, table):
    """Names and types; Expired says seen from the start of the job on."""
    before = time.time()
    hosts.one.claim("J", owner="a")
    hosts.one.renew("J", "a")
    row = table.row("J", "throttle")
    check_expired(row, before)
    assert LEASE == float(row["Lease"]["N"])
    assert {
        "Id": {"S": "J"},
        "Type": {"S": "throttle"},
        "Expired": row["Expired"],
        "Owner": {"S": "a"},
        "Version": {"N": "2"},
        "Lease": row["Lease"],
        "Status": {"S": "running"},
    } == row


@on_dynamodb
def test_the_row_of_a_job_in_progress_outlives_a_short_retention(hosts, table):
    """Between two renewals TTL could remove it, and the job would be run a second time."""
    short = hosts.make(hosts.clock_of_one, retention=LEASE / 10)
    for call in (lambda: short.claim("J", owner="a"), lambda: short.renew("J", "a")):
        before = int(time.time())
        call()
        assert int(table.row("J", "throttle")["Expired"]["N"]) >= before + 2 * LEASE
    short.done("J", "a")
    assert int(table.row("J", "throttle")["Expired"]["N"]) <= time.time() + LEASE / 10


@on_dynamodb
def test_a_job_that_sqsjkr_has_seen_is_not_listed(hosts, table):
    """Nobody can tell whether it is in progress."""
    hosts.one.claim("K", owner="b")
    sqsjkr_sets(table, 4102444800)
    assert ["K"] == [one.job_id for one in hosts.other.running()]


@on_dynamodb
def test_the_row_of_a_done_job_is_sqsjkrs_with_ours_beside(hosts, table):
    """No lease is left in it."""
    before = time.time()
    hosts.one.claim("J", owner="a")
    hosts.one.done("J", "a")
    row = table.row("J", "throttle")
    check_expired(row, before)
    assert {
        "Id": {"S": "J"},
        "Type": {"S": "throttle"},
        "Expired": row["Expired"],
        "Owner": {"S": "a"},
        "Status": {"S": "done"},
    } == row


@on_dynamodb
def test_a_released_job_leaves_no_row(hosts, table):
    """To a sqsjkr host it was never seen."""
    hosts.one.claim("J", owner="a")
    hosts.one.release("J", "a")
    assert [] == table.rows()
    sqsjkr_sets(table, 4102444800)


@on_dynamodb
@pytest.mark.parametrize("ended", [False, True], ids=["in progress", "done"])
def test_sqsjkrs_write_fails_on_our_row(hosts, table, ended):
    """Its hosts take both for seen."""
    hosts.one.claim("J", owner="a")
    if ended:
        hosts.one.done("J", "a")
    with pytest.raises(table.dynamodb.exceptions.ConditionalCheckFailedException):
        sqsjkr_sets(table, 4102444800)


@on_dynamodb
def test_a_job_that_sqsjkr_has_seen_is_a_duplicate_and_never_taken_over(hosts, table):
    """Its row has no lease that could lapse."""
    sqsjkr_sets(table, 4102444800)
    assert is_done(hosts.one)
    hosts.clock_of_one.now += 1000 * LEASE
    assert is_done(hosts.one)
    with pytest.raises(LeaseLost):
        hosts.one.release("J", "b")
    assert {"N": "4102444800"} == table.row("J", "throttle")["Expired"]


@on_dynamodb
def test_a_mark_without_a_statement_is_written_if_the_owner_is_still_the_same(
    hosts, table, request
):
    """One that arrives late must not hide what another owner does with the job."""
    client = dynamodb_client(request)
    throttler = DynamoDBThrottler(StoreTable(client, table.name), lease=LEASE, retention=RETENTION)
    before = time.time()
    throttler.claim("J", owner="a")
    throttler.renew("J", "a")
    with pytest.raises(LeaseLost):
        throttler.done("J", "b")
    assert "running" == table.row("J", "throttle")["Status"]["S"]
    throttler.done("J", "a")
    throttler.done("J", "a")  # As after an answer that was lost.
    row = table.row("J", "throttle")
    check_expired(row, before)
    assert {"Id", "Type", "Expired", "Owner", "Status"} == row.keys()
    assert ("a", "done") == (row["Owner"]["S"], row["Status"]["S"])
    assert is_done(hosts.other)
    with pytest.raises(LeaseLost):
        throttler.done("never claimed", "a")
    assert 1 == len(table.rows())
    throttler.close(0.0)


class OneFault:
    """A client that fails at the first write of one job's row, with that error code."""

    def __init__(self, client: Client, job_id: str, code: str) -> None:
        self._client = client
        self._job_id = job_id
        self._code: str | None = code

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make the call, or fail."""
        if self._code and arguments.get("Key", {}).get("Id", {}).get("S") == self._job_id:
            response = {"Error": {"Code": self._code, "Message": "by the test"}}
            self._code = None
            raise ClientError(response, operation)
        return self._client.call(operation, **arguments)


@on_dynamodb
def test_a_mark_that_failed_is_repeated_and_holds_up_no_other(hosts, table, request):
    """Each is a call of its own."""
    real = dynamodb_client(request)
    for number in range(3):
        hosts.one.claim(f"J{number}", owner="a")
    client = OneFault(real, "J1", "InternalServerError")
    throttler = DynamoDBThrottler(StoreTable(client, table.name), lease=LEASE, retention=RETENTION)
    marking = [gevent.spawn(throttler.done, f"J{number}", "a") for number in range(3)]
    gevent.joinall(marking, raise_error=True)
    assert {"done"} == {row["Status"]["S"] for row in table.rows()}
    throttler.close(0.0)


@on_dynamodb
def test_close_writes_the_marks_that_wait(hosts, table):
    """A mark that was asked for just before the stop is in the table after it."""
    hosts.one.claim("J", owner="a")
    marking = gevent.spawn(hosts.one.done, "J", "a")
    gevent.sleep(0)
    hosts.one.close(30.0)
    marking.get()
    assert {"S": "done"} == table.row("J", "throttle")["Status"]
    with pytest.raises(StoreError):
        hosts.one.done("K", "a")


@on_dynamodb
def test_check_says_that_the_table_is_missing_and_how_to_create_it(hosts, request):
    """A StartError with the name and the command."""
    table = StoreTable(dynamodb_client(request), "no-such-table")
    throttler = DynamoDBThrottler(table, lease=LEASE, retention=RETENTION)
    with pytest.raises(StartError, match=r"'no-such-table' does not exist.*init"):
        throttler.check()
