"""Locks and claims by statements that share calls: how few, who wins, what lost answers cost."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from gevent.event import Event
from gevent.pool import Pool

from sqsjkr_gevent.aws import Client
from sqsjkr_gevent.aws.table import Table as StoreTable
from sqsjkr_gevent.errors import AlreadyLocked, LeaseLost, StoreError
from sqsjkr_gevent.stores.dynamodb import DynamoDBLocker, DynamoDBThrottler
from sqsjkr_gevent.stores.dynamodb.known import NO_ROW, KnownLocks
from stores import LEASE, RETENTION, dynamodb_client, table_with_statements

BATCH = "batch_execute_statement"

#: Jobs of the count, how many of them are under way at a time, and seconds of a call.
JOBS = 600
AT_A_TIME = 64
LATENCY = 0.015

#: Of the race: locks, and how often each host takes each of them.
LOCKS = 4
ROUNDS = 12


@dataclass
class Watched:
    """A client that counts its calls. before, after: called around each, with the operation."""

    client: Client
    calls: Counter = field(default_factory=Counter)
    before: Callable[[str], None] = lambda operation: None
    after: Callable[[str], None] = lambda operation: None

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make the call."""
        self.calls[operation] += 1
        self.before(operation)
        try:
            return self.client.call(operation, **arguments)
        finally:
            self.after(operation)


@pytest.fixture
def client(request):
    """A client that is watched."""
    return Watched(dynamodb_client(request))


@pytest.fixture
def shared(client, table):
    """The table with statements."""
    return table_with_statements(client, table.name)


@pytest.fixture
def locker(shared):
    """A locker over the table."""
    return DynamoDBLocker(shared, lease=LEASE)


@pytest.fixture
def throttler(shared):
    """A throttler over the table."""
    return DynamoDBThrottler(shared, lease=LEASE, retention=RETENTION)


def test_jobs_under_load_share_their_calls(client, locker, throttler, table):
    """Four writes for each job with a lock of its own: at most 0.3 calls, 3.05 without."""
    client.calls.clear()
    client.before = lambda operation: gevent.sleep(LATENCY)

    def work(number: int) -> None:
        job, owner = f"job-{number}", f"owner-{number}"
        throttler.claim(job, owner=owner)
        locker.acquire(f"lock-{number}", "event", owner=owner)
        locker.release(f"lock-{number}", owner)
        throttler.done(job, owner)

    pool = Pool(AT_A_TIME)
    working = [pool.spawn(work, number) for number in range(JOBS)]
    gevent.joinall(working, raise_error=True)
    assert {BATCH} == client.calls.keys()
    assert client.calls.total() <= 0.3 * JOBS
    rows = table.rows()
    assert JOBS == sum(row.get("Status") == {"S": "done"} for row in rows)
    assert JOBS == sum(row["Type"] == {"S": "lock"} and "EventId" not in row for row in rows)


def test_a_lock_that_is_used_again_and_again_shares_calls_too(client, locker):
    """Its token is known, so nobody has to ask for it; with and without a guess of its end."""
    client.calls.clear()
    tokens = []
    for number in range(10):
        free_in = None if number % 3 else 1.5
        tokens.append(locker.acquire("L", "event", owner=f"o{number}", free_in=free_in))
        locker.release("L", f"o{number}")
    assert list(range(tokens[0], tokens[0] + 10)) == tokens
    assert {BATCH: 20} == client.calls


def test_renewals_share_calls(client, locker, throttler, table):
    """Two leases for each job that runs: 2,000 jobs must not cost 4,000 calls."""
    for number in range(20):
        throttler.claim(f"job-{number}", owner="me")
        locker.acquire(f"lock-{number}", "event", owner="me")
    client.calls.clear()
    renewing = [
        gevent.spawn(renew, name, "me")
        for number in range(20)
        for renew, name in (
            (throttler.renew, f"job-{number}"),
            (locker.renew, f"lock-{number}"),
        )
    ]
    gevent.joinall(renewing, raise_error=True)
    assert {BATCH: 2} == client.calls
    assert {"2"} == {row["Version"]["N"] for row in table.rows()}


def test_a_lock_that_another_host_took_meanwhile_is_asked_for(client, locker, table):
    """A wrong guess costs one write, and the next time nothing is guessed."""
    other = DynamoDBLocker(StoreTable(client.client, table.name), lease=LEASE)
    locker.acquire("L", "event", owner="a")
    locker.release("L", "a")
    for asked in ({BATCH: 1, "update_item": 1}, {"update_item": 1}):
        other.acquire("L", "event", owner="b")
        other.release("L", "b")
        client.calls.clear()
        locker.acquire("L", "event", owner="a")
        assert asked == client.calls
        locker.release("L", "a")


def test_a_lock_that_is_held_elsewhere_costs_one_call_a_try(client, locker, table):
    """After the first try. Its holder's lease is watched meanwhile."""
    other = DynamoDBLocker(StoreTable(client.client, table.name), lease=LEASE)
    other.acquire("L", "event", owner="b")
    for asked in ({BATCH: 1, "update_item": 1}, {"update_item": 1}, {"update_item": 1}):
        client.calls.clear()
        with pytest.raises(AlreadyLocked):
            locker.acquire("L", "event", owner="a")
        assert asked == client.calls


def sqsjkr(table, lock_id: str) -> Callable[[], None]:
    """Take a lock as a sqsjkr host does; returns how it gives it back, which deletes the row."""
    key = {"Id": {"S": lock_id}, "Type": {"S": "lock"}}
    try:
        table.dynamodb.update_item(
            TableName=table.name,
            Key=key,
            UpdateExpression="SET EventId = :e",
            ConditionExpression="attribute_not_exists(EventId)",
            ExpressionAttributeValues={":e": {"S": "theirs"}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise AlreadyLocked("by a row") from error
    return lambda: table.dynamodb.delete_item(TableName=table.name, Key=key)


def test_a_lock_that_a_sqsjkr_host_took_after_us_is_honoured(locker, table):
    """It leaves our token in the row: only EventId says that the lock is taken."""
    locker.acquire("L", "event", owner="a")
    locker.release("L", "a")
    give_back = sqsjkr(table, "L")
    with pytest.raises(AlreadyLocked):
        locker.acquire("L", "event", owner="b")
    assert {"S": "theirs"} == table.row("L", "lock")["EventId"]
    give_back()
    locker.acquire("L", "event", owner="b")


@dataclass
class Race:
    """Hosts that take the same locks, each for a moment, and what was seen of it."""

    holders: dict[str, str] = field(default_factory=dict)
    overlaps: list[tuple[str, str]] = field(default_factory=list)
    tokens: dict[str, list[int]] = field(
        default_factory=lambda: {f"L{n}": [] for n in range(LOCKS)}
    )

    def run(self, host: str, take: Callable[[str, str], tuple[int | None, Callable]]) -> None:
        """One host. take: takes a lock for an owner; returns the token and how to give it back."""
        for number in range(ROUNDS):
            for lock_id, tokens in self.tokens.items():
                token, give_back = self._insist(partial(take, lock_id, f"{host}-{number}"))
                if token is not None:
                    tokens.append(token)
                if lock_id in self.holders:
                    self.overlaps.append((self.holders[lock_id], host))
                self.holders[lock_id] = host
                gevent.sleep(0)
                del self.holders[lock_id]
                give_back()

    @staticmethod
    def _insist(take: Callable[[], tuple[int | None, Callable]]) -> tuple[int | None, Callable]:
        while True:
            try:
                return take()
            except AlreadyLocked:
                gevent.sleep(0.001)


@pytest.mark.parametrize("bold", [False, True], ids=["as it guesses", "guessing always"])
def test_of_racing_hosts_of_every_kind_one_holds_a_lock_and_tokens_only_grow(
    request, table, monkeypatch, bold
):
    """With statements, without, and sqsjkr's, whose unlock takes our tokens with it."""
    if bold:

        def guess(known: KnownLocks, lock_id: str) -> int:
            lock = known._locks.get(lock_id)
            return NO_ROW if lock is None else lock.token

        monkeypatch.setattr(KnownLocks, "guess", guess)
    client, race = dynamodb_client(request), Race()

    def ours(make: Callable[..., StoreTable]) -> Callable:
        locker = DynamoDBLocker(make(client, table.name), lease=LEASE)

        def take(lock_id: str, owner: str) -> tuple[int | None, Callable]:
            token = locker.acquire(lock_id, "event", owner=owner)
            return token, lambda: locker.release(lock_id, owner)

        return take

    def theirs(lock_id: str, owner: str) -> tuple[int | None, Callable]:
        return None, sqsjkr(table, lock_id)

    racing = [
        gevent.spawn(race.run, f"{make.__name__}-{n}", ours(make))
        for make in (table_with_statements, StoreTable)
        for n in range(3)
    ]
    racing.append(gevent.spawn(race.run, "sqsjkr", theirs))
    gevent.joinall(racing, raise_error=True)
    assert [] == race.overlaps
    for tokens in race.tokens.values():
        assert sorted(set(tokens)) == tokens
        assert 6 * ROUNDS == len(tokens)


def test_of_racing_claims_of_both_kinds_one_wins(request, table):
    """A message that two hosts receive runs on one."""
    client = dynamodb_client(request)
    hosts = [
        DynamoDBThrottler(make(client, table.name), lease=LEASE, retention=RETENTION)
        for make in (table_with_statements, StoreTable, table_with_statements)
    ]
    go, won = Event(), Counter()

    def claim(host: DynamoDBThrottler, job: str, owner: str) -> None:
        go.wait()
        try:
            host.claim(job, owner=owner)
        except Exception:  # noqa: BLE001
            return
        won[job] += 1

    racing = [
        gevent.spawn(claim, host, f"J{number}", f"{number}-{at}")
        for number in range(20)
        for at, host in enumerate(hosts)
    ]
    go.set()
    gevent.joinall(racing, raise_error=True)
    assert {f"J{number}": 1 for number in range(20)} == won


def lose_answers(client: Watched) -> None:
    """Have calls with statements carried out, and then fail."""

    def after(operation: str) -> None:
        if operation == BATCH:
            raise EndpointConnectionError(endpoint_url="lost")

    client.after = after


def test_what_was_done_although_its_answer_was_lost_is_recognized(
    client, shared, locker, throttler, table
):
    """Every statement of the call asks for itself; a fresh one, as each failure brings a pause."""
    lose_answers(client)
    asking = [
        gevent.spawn(throttler.claim, "J", owner="a"),
        gevent.spawn(locker.acquire, "L", "event", owner="a"),
    ]
    gevent.joinall(asking, raise_error=True)
    assert None is asking[0].get()
    assert {"N": str(asking[1].get())} == table.row("L", "lock")["Token"]
    assert {BATCH: 3, "update_item": 2} == client.calls
    assert ["1", "1"] == [row["Version"]["N"] for row in table.rows()]


@pytest.mark.parametrize("lost", ["known", "renew", "done"])
def test_later_writes_whose_answer_was_lost_are_recognized_too(
    client, locker, throttler, table, lost
):
    """A lock that is known, a renewal, a mark."""
    throttler.claim("J", owner="a")
    token = locker.acquire("L", "event", owner="a")
    if lost == "known":
        locker.release("L", "a")
        lose_answers(client)
        assert token + 1 == locker.acquire("L", "event", owner="b")
    elif lost == "renew":
        lose_answers(client)
        gevent.joinall(
            [gevent.spawn(locker.renew, "L", "a"), gevent.spawn(throttler.renew, "J", "a")],
            raise_error=True,
        )
        # Once by the statement, once by the call that made sure.
        assert {"3"} == {row["Version"]["N"] for row in table.rows()}
    else:
        lose_answers(client)
        throttler.done("J", "a")
        row = table.row("J", "throttle")
        assert {"Id", "Type", "Expired", "Owner", "Status"} == row.keys()
        assert {"S": "done"} == row["Status"]


def test_a_lock_whose_release_lost_its_answer_is_free(client, locker, table):
    """Its owner cannot know who freed it, as without statements; the next one asks."""
    token = locker.acquire("L", "event", owner="a")
    lose_answers(client)
    with pytest.raises(LeaseLost):
        locker.release("L", "a")
    assert "EventId" not in table.row("L", "lock")
    assert token + 1 == locker.acquire("L", "event", owner="b")


def test_a_mark_that_takes_longer_than_a_lease_is_not_written_later(request, table):
    """By then the message may have gone back, and its job must run again."""
    client = Watched(dynamodb_client(request))
    throttler = DynamoDBThrottler(
        table_with_statements(client, table.name), lease=0.2, retention=RETENTION
    )
    throttler.claim("J", owner="a")
    go = Event()

    def hang(operation: str) -> None:
        if operation == BATCH:
            go.wait()
            raise EndpointConnectionError(endpoint_url="gone")

    client.before = hang
    marking = gevent.spawn(throttler.done, "J", "a")
    gevent.sleep(0.3)
    assert not marking.ready()
    go.set()
    with pytest.raises(StoreError, match="could not be marked"):
        marking.get()
    throttler.close(1.0)
    assert 0 == client.calls["update_item"]
    assert {"S": "running"} == table.row("J", "throttle")["Status"]


def test_close_writes_also_the_marks_that_no_statement_achieved(client, throttler, table):
    """By calls of their own, in the time that is left."""
    throttler.claim("J", owner="a")
    go = Event()

    def fail(operation: str) -> None:
        if operation == BATCH:
            go.wait()
            raise EndpointConnectionError(endpoint_url="gone")

    client.before = fail
    marking = gevent.spawn(throttler.done, "J", "a")
    closing = gevent.spawn(throttler.close, 30.0)
    gevent.sleep(0)
    go.set()
    gevent.joinall([marking, closing], raise_error=True)
    assert 1 == client.calls["update_item"]
    assert {"S": "done"} == table.row("J", "throttle")["Status"]


def test_close_ends_also_while_a_mark_hangs(client, throttler):
    """In its time; the job's message comes back then."""
    throttler.claim("J", owner="a")
    client.before = lambda operation: Event().wait()
    marking = gevent.spawn(throttler.done, "J", "a")
    gevent.sleep(0)
    began = time.monotonic()
    throttler.close(0.1)
    assert time.monotonic() - began < 30
    with pytest.raises(StoreError, match="stopped before"):
        marking.get(timeout=30)


def test_locks_are_given_back_after_the_close(client, locker, throttler, table):
    """The last jobs end when the throttler, which shares the calls, is closed."""
    locker.acquire("L", "event", owner="a")
    throttler.close(1.0)
    locker.release("L", "a")
    assert "EventId" not in table.row("L", "lock")
