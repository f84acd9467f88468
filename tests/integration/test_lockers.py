"""What every locker promises, over each backend, seen from two hosts that share one store."""

import shutil
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError
from gevent.event import Event

from servers import Table
from sqsjkr_gevent.aws import Client
from sqsjkr_gevent.aws.table import Table as StoreTable
from sqsjkr_gevent.errors import AlreadyLocked, LeaseLost, StartError, StoreError
from sqsjkr_gevent.stores import Holder, LeasedLocker, ListedLocker, as_leased_locker
from sqsjkr_gevent.stores.dynamodb import FREE_LOCK_KEPT, DynamoDBLocker
from sqsjkr_gevent.stores.memory import MemoryLocker, MemoryTable
from stores import (
    BACKENDS,
    LEASE,
    LEASED,
    Clock,
    dynamodb,
    dynamodb_client,
    dynamodb_singly,
    memory,
    over,
)


@dataclass
class Hosts:
    """Two lockers over one store, each with the clock of its host."""

    one: LeasedLocker
    other: LeasedLocker
    clock_of_one: Clock
    clock_of_other: Clock


class TwiceHeard:
    """A client whose updates are heard, their answers lost, and which then repeats them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make the call, an update once more."""
        if operation == "update_item":
            try:
                self._client.call(operation, **arguments)
            except ClientError:
                pass
        return self._client.call(operation, **arguments)


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.__name__)
def hosts(request):
    """Two hosts over each backend."""
    store = request.param(request)
    clocks = Clock(), Clock(5.0)
    return Hosts(store.locker(clocks[0]), store.locker(clocks[1]), *clocks)


#: Only the backends whose locks lapse.
leased = over(*LEASED)
#: Only DynamoDB, whose rows others read.
on_dynamodb = over(dynamodb, dynamodb_singly)


def lapses_in(locker: LeasedLocker, owner: str = "b", **options: Any) -> float | None:
    """What a try at the held lock L says of its holder's lease."""
    with pytest.raises(AlreadyLocked) as refused:
        locker.acquire("L", "event", owner=owner, **options)
    return refused.value.lapses_in


def test_it_is_a_leased_locker(hosts):
    """The package speaks to it as it is, without the adapter for custom lockers."""
    assert as_leased_locker(hosts.one) is hosts.one


def test_a_held_lock_is_refused_to_both_hosts_and_others_are_free(hosts):
    """Exclusion is per lock_id, and holds within the holder's own host as well."""
    hosts.one.acquire("L", "event", owner="a")
    lapses_in(hosts.one)
    lapses_in(hosts.other)
    hosts.other.acquire("M", "event", owner="b")


def test_a_released_lock_is_free_for_the_other_host(hosts):
    """Release makes the next acquire succeed at once."""
    hosts.one.acquire("L", "event", owner="a")
    hosts.one.release("L", "a")
    hosts.other.acquire("L", "event", owner="b")
    lapses_in(hosts.one, owner="a")


def test_only_the_owner_renews_and_releases(hosts):
    """LeaseLost to everybody else, and the lock stays held."""
    hosts.one.acquire("L", "event", owner="a")
    for change in (hosts.one.renew, hosts.one.release, hosts.other.renew, hosts.other.release):
        with pytest.raises(LeaseLost):
            change("L", "b")
    lapses_in(hosts.other)
    hosts.one.renew("L", "a")
    hosts.one.release("L", "a")


@pytest.mark.parametrize("call", ["renew", "release"])
def test_a_free_or_unknown_lock_is_nobodys(hosts, call):
    """LeaseLost also to the last owner, and to one who never held it."""
    hosts.one.acquire("L", "event", owner="a")
    hosts.one.release("L", "a")
    for lock_id in ("L", "never"):
        with pytest.raises(LeaseLost):
            getattr(hosts.one, call)(lock_id, "a")
    hosts.other.acquire("L", "event", owner="b")


def test_tokens_grow_from_holder_to_holder(hosts):
    """On both hosts, also over a lock that was free in between."""
    tokens = []
    for number in range(6):
        host = (hosts.one, hosts.other)[number % 2]
        tokens.append(host.acquire("L", "event", owner=f"owner-{number}"))
        host.release("L", f"owner-{number}")
    assert sorted(set(tokens)) == tokens


def test_tokens_grow_also_where_a_power_loss_took_the_last_transactions(tmp_path):
    """A file in WAL mode may lose some; the tokens in them were given out all the same."""
    from sqsjkr_gevent.stores.sqlite import SqliteLocker
    from sqsjkr_gevent.stores.sqlite_file import SqliteFile

    path, before = tmp_path / "locks.db", tmp_path / "before.db"

    def take(name: str) -> int:
        file = SqliteFile(str(path))
        locker = SqliteLocker(file, lease=LEASE)
        token = locker.acquire("L", "event", owner=name)
        locker.release("L", name)
        file.close()
        return token

    take("first")
    shutil.copy(path, before)
    given_out = [take(f"lost-{number}") for number in range(5)]
    shutil.copy(before, path)
    assert take("after") > max(given_out)


def test_tokens_of_memory_keep_up_with_the_clock(monkeypatch):
    """So those of the next process, which begin at the clock, are higher; back it never goes."""
    clock = Clock()
    monkeypatch.setattr(time, "time_ns", lambda: int(clock.now) * 1_000_000)
    locker = MemoryLocker(MemoryTable())
    tokens = []
    for clock.now in (1_000, 1_000, 5_000, 3_000):
        tokens.append(locker.acquire("L", "event", owner="a"))
        locker.release("L", "a")
    assert [1_000, 1_001, 5_000, 5_001] == tokens


def test_an_own_earlier_try_whose_answer_was_lost_counts_as_success(hosts):
    """The same owner asks again and holds the lock, with a token."""
    first = hosts.one.acquire("L", "event", owner="a")
    again = hosts.one.acquire("L", "event", owner="a")
    assert again >= first
    lapses_in(hosts.other)
    hosts.one.release("L", "a")
    hosts.other.acquire("L", "event", owner="b")


def test_of_twenty_greenlets_one_gets_the_lock(hosts):
    """Ten on each host ask at the same moment."""
    go, got = Event(), []

    def ask(number: int) -> None:
        host = (hosts.one, hosts.other)[number % 2]
        go.wait()
        try:
            host.acquire("L", "event", owner=f"owner-{number}")
        except AlreadyLocked:
            return
        got.append(number)

    asking = [gevent.spawn(ask, number) for number in range(20)]
    go.set()
    gevent.joinall(asking, raise_error=True)
    assert 1 == len(got)


@over(memory)
def test_a_lock_without_a_lease_says_that_it_never_lapses(hosts):
    """lapses_in is None: waiting for a lapse would be in vain."""
    hosts.one.acquire("L", "event", owner="a")
    assert (None, None) == (hosts.one.lease, lapses_in(hosts.other))


@leased
def test_a_lock_is_taken_over_after_a_whole_lease_unchanged_and_never_before(hosts):
    """On the observer's clock, from its first look on; the holder's clock does not matter."""
    token = hosts.one.acquire("L", "event", owner="a")
    assert LEASE == lapses_in(hosts.other)
    hosts.clock_of_one.now += 10 * LEASE
    hosts.clock_of_other.now += LEASE - 0.25
    assert 0.25 == lapses_in(hosts.other)
    hosts.clock_of_other.now += 0.25
    assert hosts.other.acquire("L", "event", owner="b") > token
    with pytest.raises(LeaseLost):
        hosts.one.renew("L", "a")
    with pytest.raises(LeaseLost):
        hosts.one.release("L", "a")


@leased
def test_a_lock_that_nobody_looked_at_for_long_is_watched_for_a_lease_first(hosts):
    """A first look says nothing about the time before it."""
    hosts.one.acquire("L", "event", owner="a")
    hosts.clock_of_other.now += 100 * LEASE
    assert LEASE == lapses_in(hosts.other)


@leased
def test_a_renewal_starts_the_watch_anew(hosts):
    """However close to its end the lease was."""
    hosts.one.acquire("L", "event", owner="a")
    lapses_in(hosts.other)
    hosts.clock_of_other.now += LEASE - 1
    hosts.one.renew("L", "a")
    assert LEASE == lapses_in(hosts.other)
    hosts.clock_of_other.now += LEASE - 1
    assert 1 == lapses_in(hosts.other)


@leased
def test_another_holder_starts_the_watch_anew(hosts):
    """The next holder has its whole lease, also where it is another run of the same host."""
    hosts.one.acquire("L", "event", owner="a")
    lapses_in(hosts.other)
    hosts.clock_of_other.now += LEASE - 1
    hosts.one.release("L", "a")
    hosts.one.acquire("L", "event", owner="c")
    assert LEASE == lapses_in(hosts.other)


@leased
def test_an_heir_takes_the_lock_over_at_once_and_nobody_else_does(hosts):
    """A job that takes over a lapsed run has its lock without a second wait."""
    token = hosts.one.acquire("L", "event", owner="a")
    assert LEASE == lapses_in(hosts.other, heir_of="somebody else")
    assert hosts.other.acquire("L", "event", owner="b", heir_of="a") > token
    with pytest.raises(LeaseLost):
        hosts.one.renew("L", "a")


@leased
def test_of_two_that_saw_the_lease_lapse_one_takes_it_over(hosts):
    """The first takes it, and the second sees a new holder with a whole lease."""
    hosts.one.acquire("L", "event", owner="a")
    lapses_in(hosts.one)
    lapses_in(hosts.other)
    hosts.clock_of_one.now += LEASE
    hosts.clock_of_other.now += LEASE
    hosts.one.acquire("L", "event", owner="c")
    assert LEASE == lapses_in(hosts.other)


@leased
def test_a_takeover_that_comes_between_look_and_take_is_seen(hosts):
    """Many see the lapse at once; one of them gets the lock."""
    hosts.one.acquire("L", "event", owner="a")
    lapses_in(hosts.one)
    lapses_in(hosts.other)
    hosts.clock_of_one.now += LEASE
    hosts.clock_of_other.now += LEASE
    got = []

    def ask(number: int) -> None:
        try:
            (hosts.one, hosts.other)[number % 2].acquire("L", "event", owner=f"owner-{number}")
        except AlreadyLocked:
            return
        got.append(number)

    gevent.joinall([gevent.spawn(ask, number) for number in range(20)], raise_error=True)
    assert 1 == len(got)


def test_a_refusal_names_the_holder(hosts):
    """So that a job that waits can say for whom."""
    hosts.one.acquire("L", "event", owner="a")
    with pytest.raises(AlreadyLocked) as refused:
        hosts.other.acquire("L", "event", owner="b")
    assert "a" == refused.value.holder


# What people see and do from outside.


@leased
def test_the_holders_are_listed_with_their_age_and_free_locks_are_not(hosts):
    """Each with what its kicker said of itself, and by the wall clock since when."""
    before = int(time.time())
    assert isinstance(hosts.other, ListedLocker)
    hosts.one.acquire("L", "event", owner="a")
    hosts.one.renew("L", "a")
    hosts.one.acquire("M", "other event", owner="b")
    hosts.one.acquire("N", "event", owner="c")
    hosts.one.release("N", "c")
    held = {one.lock_id: one for one in hosts.other.holders()}
    locked_at = held["L"].locked_at
    assert before <= locked_at <= time.time()
    assert {"L", "M"} == held.keys()
    assert held["L"] == hosts.other.holder("L")
    assert held["L"] == Holder(
        lock_id="L", event_id="event", owner="a", version=2, lease=LEASE, locked_at=locked_at
    )
    assert (None, None) == (hosts.other.holder("N"), hosts.other.holder("never"))


@leased
def test_an_evicted_lock_is_free_and_its_tokens_go_on_growing(hosts):
    """As after a release by its holder, who finds out at the next renewal."""
    token = hosts.one.acquire("L", "event", owner="a")
    assert hosts.other.evict(hosts.other.holder("L"))
    assert None is hosts.other.holder("L")
    with pytest.raises(LeaseLost):
        hosts.one.renew("L", "a")
    assert hosts.other.acquire("L", "event", owner="b") > token


@leased
def test_a_lock_that_was_renewed_since_it_was_seen_is_not_evicted_but_by_force(hosts):
    """Between the last look and the write its holder may have come back."""
    hosts.one.acquire("L", "event", owner="a")
    seen = hosts.other.holder("L")
    hosts.one.renew("L", "a")
    assert not hosts.other.evict(seen)
    assert "a" == hosts.other.holder("L").owner
    assert hosts.other.evict(seen, force=True)
    assert None is hosts.other.holder("L")


@leased
def test_not_even_force_evicts_another_holder_than_the_one_that_was_seen(hosts):
    """Whoever was asked about it was asked about that one."""
    hosts.one.acquire("L", "event", owner="a")
    seen = hosts.other.holder("L")
    hosts.one.release("L", "a")
    assert hosts.other.evict(seen)
    hosts.one.acquire("L", "event", owner="c")
    assert not hosts.other.evict(seen)
    assert not hosts.other.evict(seen, force=True)
    assert "c" == hosts.other.holder("L").owner


def test_a_sqlite_file_from_before_locks_had_an_age_gets_the_column(tmp_path):
    """Its locks are of an unknown age, and still held."""
    from sqsjkr_gevent.stores.sqlite import SqliteLocker
    from sqsjkr_gevent.stores.sqlite_file import SqliteFile

    path = str(tmp_path / "locks.db")
    with sqlite3.connect(path) as old:
        old.execute(
            "CREATE TABLE locks (lock_id TEXT PRIMARY KEY, event_id TEXT, owner TEXT,"
            " version INTEGER, lease REAL, token INTEGER NOT NULL) WITHOUT ROWID"
        )
        old.execute("INSERT INTO locks VALUES ('L', 'event', 'a', 7, 60.0, 1000)")
    old.close()
    lockers = [SqliteLocker(SqliteFile(path), lease=LEASE) for _ in range(4)]
    gevent.joinall([gevent.spawn(locker.check) for locker in lockers], raise_error=True)
    expected = Holder(lock_id="L", event_id="event", owner="a", version=7, lease=60.0)
    assert [expected] == list(lockers[0].holders())
    lockers[1].release("L", "a")
    assert (lockers[2].acquire("L", "event", owner="b") or 0) > 1000
    assert lockers[3].holder("L").locked_at is not None


# The rows of DynamoDB, which sqsjkr reads and writes as well.


def sqsjkr_locks(table: Table, event_id: str = "theirs") -> None:
    """What a sqsjkr host does to lock L; raises where it is locked."""
    table.dynamodb.update_item(
        TableName=table.name,
        Key={"Id": {"S": "L"}, "Type": {"S": "lock"}},
        UpdateExpression="SET EventId = :e",
        ConditionExpression="attribute_not_exists(EventId)",
        ExpressionAttributeValues={":e": {"S": event_id}},
    )


def sqsjkr_unlocks(table: Table) -> None:
    """What a sqsjkr host does to give lock L back."""
    table.dynamodb.delete_item(TableName=table.name, Key={"Id": {"S": "L"}, "Type": {"S": "lock"}})


@on_dynamodb
def test_the_row_of_a_held_lock_is_sqsjkrs_with_ours_beside(hosts, table):
    """Names and types; EventId says locked, and nothing expires while it does."""
    token = hosts.one.acquire("L", "event", owner="a")
    hosts.one.renew("L", "a")
    row = table.row("L", "lock")
    assert LEASE == float(row["Lease"]["N"])
    assert {
        "Id": {"S": "L"},
        "Type": {"S": "lock"},
        "EventId": {"S": "event"},
        "Owner": {"S": "a"},
        "Version": {"N": "2"},
        "Token": {"N": str(token)},
        "Lease": row["Lease"],
        "LockedAt": row["LockedAt"],
    } == row


@on_dynamodb
def test_the_row_of_a_free_lock_keeps_its_token_and_has_no_event_id(hosts, table):
    """TTL may remove it in a month, by sqsjkr's own attribute."""
    before = int(time.time())
    token = hosts.one.acquire("L", "event", owner="a")
    hosts.one.release("L", "a")
    row = table.row("L", "lock")
    expired = int(row.pop("Expired")["N"])
    assert {"Id": {"S": "L"}, "Type": {"S": "lock"}, "Token": {"N": str(token)}} == row
    assert before + FREE_LOCK_KEPT <= expired <= time.time() + FREE_LOCK_KEPT
    hosts.other.acquire("L", "event", owner="b")
    assert "Expired" not in table.row("L", "lock")


@on_dynamodb
def test_sqsjkrs_write_fails_on_our_lock_and_succeeds_once_it_is_free(hosts, table):
    """Its hosts see EventId as what it is to them: locked."""
    hosts.one.acquire("L", "event", owner="a")
    with pytest.raises(table.dynamodb.exceptions.ConditionalCheckFailedException):
        sqsjkr_locks(table)
    hosts.one.release("L", "a")
    sqsjkr_locks(table)


@on_dynamodb
def test_a_lock_of_sqsjkr_is_honoured_and_never_taken_over(hosts, table):
    """It has no lease, also on a row that has our token from before, and for an heir."""
    hosts.one.acquire("L", "event", owner="a")
    hosts.one.release("L", "a")
    sqsjkr_locks(table)
    assert None is lapses_in(hosts.other)
    hosts.clock_of_other.now += 1000 * LEASE
    assert None is lapses_in(hosts.other)
    assert None is lapses_in(hosts.other, heir_of="a")
    assert {"S": "theirs"} == table.row("L", "lock")["EventId"]
    with pytest.raises(LeaseLost):
        hosts.one.release("L", "a")
    sqsjkr_unlocks(table)
    hosts.other.acquire("L", "event", owner="b")


@on_dynamodb
def test_a_lock_of_sqsjkr_is_listed_and_evicted_as_it_was_seen(hosts, table):
    """Of unknown holder and age; on a row that has our token from before, which stays."""
    hosts.one.acquire("L", "event", owner="a")
    hosts.one.release("L", "a")
    token = table.row("L", "lock")["Token"]
    sqsjkr_locks(table)
    seen = hosts.one.holder("L")
    assert Holder(lock_id="L", event_id="theirs") == seen
    assert [seen] == list(hosts.one.holders())
    assert hosts.one.evict(seen)
    assert token == table.row("L", "lock")["Token"]
    sqsjkr_locks(table, "another event")
    assert not hosts.one.evict(seen)
    assert "another event" == hosts.one.holder("L").event_id


@on_dynamodb
def test_no_lock_of_ours_is_taken_for_one_of_sqsjkrs_that_was_seen(hosts, table):
    """The two may have the same event id."""
    sqsjkr_locks(table)
    seen = hosts.one.holder("L")
    sqsjkr_unlocks(table)
    hosts.one.acquire("L", "theirs", owner="a")
    assert not hosts.one.evict(seen, force=True)


@pytest.mark.servers("moto")
@on_dynamodb
def test_locks_are_found_on_all_pages_of_a_table(hosts, table):
    """A page of a scan is a megabyte."""
    for number in range(5):
        hosts.one.acquire(f"L{number}", "event" * 70_000, owner="a")
    assert {f"L{number}" for number in range(5)} == {one.lock_id for one in hosts.one.holders()}


class Without:
    """A client that may not do some operations. asked: all that it was asked for."""

    def __init__(self, client: Client, *denied: str) -> None:
        self._client = client
        self._denied = denied
        self.asked: list[str] = []

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make the call, or refuse it."""
        self.asked.append(operation)
        if operation in self._denied:
            response = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(response, operation)
        return self._client.call(operation, **arguments)


@on_dynamodb
def test_check_needs_no_permission_to_read(hosts, table, request):
    """sqsjkr's policies do not have it; a conditional write that changes nothing tells as much."""
    client = Without(dynamodb_client(request), "get_item")
    locker = DynamoDBLocker(StoreTable(client, table.name), lease=LEASE)
    locker.check()
    locker.check()
    assert ["get_item", "update_item", "update_item"] == client.asked
    assert [] == table.rows()


@on_dynamodb
@pytest.mark.parametrize(
    ("name", "denied", "said"),
    [
        ("no-such-table", ["get_item"], r"'no-such-table' does not exist.*init"),
        (None, ["get_item", "update_item"], r"is denied; allow dynamodb:UpdateItem on it"),
    ],
    ids=["missing", "no writing either"],
)
def test_what_keeps_every_job_from_running_is_said_at_the_start(
    hosts, table, request, name, denied, said
):
    """Also by whoever may not read."""
    client = Without(dynamodb_client(request), *denied)
    locker = DynamoDBLocker(StoreTable(client, name or table.name), lease=LEASE)
    with pytest.raises(StartError, match=said):
        locker.check()


@on_dynamodb
def test_a_lock_that_is_gone_is_lost_also_for_one_who_may_not_read(hosts, table, request):
    """A sqsjkr host deleted the row: its job must end, and not wait for its lease to lapse."""
    client = Without(dynamodb_client(request), "get_item")
    locker = DynamoDBLocker(StoreTable(client, table.name), lease=LEASE)
    locker.acquire("L", "event", owner="a")
    sqsjkr_unlocks(table)
    with pytest.raises(LeaseLost):
        locker.renew("L", "a")


class Denied:
    """A client that may not scan."""

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Refuse."""
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


def test_whoever_may_not_scan_is_told_what_to_allow():
    """The kicker needs no Scan, so its policy need not have it."""
    locker = DynamoDBLocker(StoreTable(Denied(), "T"), lease=LEASE)
    with pytest.raises(StartError, match=r"'T' is denied; allow dynamodb:Scan"):
        list(locker.holders())


@on_dynamodb
def test_an_eviction_whose_answer_was_lost_is_a_success(hosts, table, request):
    """botocore repeats it, and the second time the row is free already."""
    client = TwiceHeard(dynamodb_client(request))
    hosts.one.acquire("L", "event", owner="a")
    assert DynamoDBLocker(StoreTable(client, table.name), lease=LEASE).evict(hosts.one.holder("L"))


@on_dynamodb
def test_tokens_grow_also_where_a_sqsjkr_host_deleted_the_row_in_between(hosts, table):
    """Its unlock takes our token with it."""
    first = hosts.one.acquire("L", "event", owner="a")
    hosts.one.release("L", "a")
    sqsjkr_locks(table)
    sqsjkr_unlocks(table)
    assert hosts.other.acquire("L", "event", owner="b") > first


@on_dynamodb
def test_an_answer_that_was_lost_and_asked_for_again_is_a_success(hosts, table, request):
    """botocore repeats an update whose answer did not come; the lock is held once, and is ours."""
    client = TwiceHeard(dynamodb_client(request))
    locker = DynamoDBLocker(StoreTable(client, table.name), lease=LEASE)
    token = locker.acquire("L", "event", owner="a")
    assert {"N": str(token)} == table.row("L", "lock")["Token"]


@on_dynamodb
def test_a_takeover_whose_answer_was_lost_is_a_success(hosts, table, request):
    """With abort_if_locked the job would be given up, and its lock held for nobody."""
    client = TwiceHeard(dynamodb_client(request))
    locker = DynamoDBLocker(StoreTable(client, table.name), lease=LEASE)
    hosts.one.acquire("L", "event", owner="a")
    locker.acquire("L", "event", owner="b", heir_of="a")


@on_dynamodb
def test_check_says_that_the_table_is_missing_and_how_to_create_it(hosts, request):
    """A StartError with the name and the command."""
    locker = DynamoDBLocker(StoreTable(dynamodb_client(request), "no-such-table"), lease=LEASE)
    with pytest.raises(StartError, match=r"'no-such-table' does not exist.*init"):
        locker.check()


@on_dynamodb
def test_check_says_that_the_table_has_another_key(hosts, aws, request):
    """A table of somebody else's is named, and is not written to."""
    aws.dynamodb.create_table(
        TableName="another-key",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "Name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Name", "AttributeType": "S"}],
    )
    try:
        locker = DynamoDBLocker(StoreTable(dynamodb_client(request), "another-key"), lease=LEASE)
        blind = Without(dynamodb_client(request), "get_item")
        for one in (locker, DynamoDBLocker(StoreTable(blind, "another-key"), lease=LEASE)):
            with pytest.raises(StartError, match=r"'another-key' does not have the key.*init"):
                one.check()
    finally:
        aws.dynamodb.delete_table(TableName="another-key")


@on_dynamodb
def test_check_passes_on_sqsjkrs_table(hosts):
    """And leaves nothing in it."""
    hosts.one.check()


@on_dynamodb
def test_a_table_that_is_gone_mid_run_is_a_store_error(hosts, request):
    """Never AlreadyLocked or LeaseLost, by which a job could be given up or killed for nothing."""
    locker = DynamoDBLocker(StoreTable(dynamodb_client(request), "no-such-table"), lease=LEASE)
    for call in (
        lambda: locker.acquire("L", "event", owner="a"),
        lambda: locker.renew("L", "a"),
        lambda: locker.release("L", "a"),
    ):
        with pytest.raises(StoreError):
            call()


def test_whoever_takes_a_lock_says_when_its_own_line_will_be_through(hosts):
    """Told to whoever finds it taken; the next holder has its own guess, or none."""
    for told in (12.5, None, 0.4):
        hosts.one.acquire("L", "event", owner="a", free_in=told)
        with pytest.raises(AlreadyLocked) as raised:
            hosts.other.acquire("L", "event", owner="b")
        assert told == raised.value.free_in
        hosts.one.release("L", "a")


@leased
def test_a_guess_goes_with_its_holder(hosts):
    """Whoever takes the lock over without one has none, and a lock that is free has none."""
    hosts.one.acquire("L", "event", owner="a", free_in=12.5)
    hosts.other.acquire("L", "event", owner="b", heir_of="a")
    with pytest.raises(AlreadyLocked) as raised:
        hosts.one.acquire("L", "event", owner="c")
    assert None is raised.value.free_in


@on_dynamodb
def test_a_guess_is_not_taken_for_that_of_a_sqsjkr_host(hosts, table):
    """sqsjkr leaves what it finds in a row; and a free row of ours has no guess."""
    hosts.one.acquire("L", "event", owner="a", free_in=12.5)
    hosts.one.release("L", "a")
    assert "FreeIn" not in table.row("L", "lock")
    row = {"Id": "M", "Type": "lock", "EventId": "theirs"}
    item = {name: {"S": value} for name, value in row.items()} | {"FreeIn": {"N": "0.1"}}
    table.dynamodb.put_item(TableName=table.name, Item=item)
    with pytest.raises(AlreadyLocked) as raised:
        hosts.one.acquire("M", "event", owner="a")
    assert None is raised.value.free_in
