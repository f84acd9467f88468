"""What is Redis's own: its faults, its keys, its connections. The rest is in the shared suites."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent
import pytest

from jobs import Evidence
from kickers import settings
from redis_server import LosesAnswers, RedisServer, connect, fresh_prefix
from sqsjkr_gevent.aws import Observer, make_session
from sqsjkr_gevent.config import Config
from sqsjkr_gevent.errors import (
    AlreadyLocked,
    ConfigError,
    DuplicatedMessage,
    JobInProgress,
    LeaseLost,
    StartError,
    StoreError,
)
from sqsjkr_gevent.stores import Holder, Stores
from sqsjkr_gevent.stores.redis import FREE_LOCK_KEPT, RedisLocker, RedisThrottler
from sqsjkr_gevent.stores.redis import server as server_module
from stores import LEASE, RETENTION
from waiting import eventually

#: Seconds; the shortest that the config takes.
SHORT = 5
#: Seconds for ten jobs on a loaded machine.
LONG = 120.0


@dataclass
class Host:
    """A locker and a throttler over one server, as a kicker has them."""

    locker: RedisLocker
    throttler: RedisThrottler


def host(url: str, prefix: str = "sqsjkr", **options: int) -> Host:
    """One more host."""
    server = connect(url, **options)
    return Host(
        RedisLocker(server, prefix, lease=LEASE),
        RedisThrottler(server, prefix, lease=LEASE, retention=RETENTION),
    )


def stores(url: str, observer: Callable[[str], Observer] = lambda _: lambda *_: None) -> Stores:
    """The stores of a config that names the server."""
    config = Config.new(
        account_id="123456789012",
        region="us-east-1",
        queue_name="jobs",
        locker_backend="redis",
        throttler_backend="redis",
        redis_url=url,
    )
    return Stores(config, make_session(config.account), observer)


@pytest.fixture
def own(make_redis: Callable[..., RedisServer]) -> RedisServer:
    """A server that a test may stop, fill and flush."""
    return make_redis()


@pytest.fixture
def losing(own: RedisServer) -> Iterator[LosesAnswers]:
    """A way to it that loses answers."""
    proxy = LosesAnswers(own)
    yield proxy
    proxy.stop()


# Faults.


def test_a_server_that_is_down_is_a_store_error_and_works_again_once_it_is_back(own):
    """Over the same connections; the new process does not have the scripts of the old one."""
    here = host(own.url)
    here.locker.acquire("L", "event", owner="a")
    here.throttler.claim("J", owner="a")
    own.stop()
    for call in (
        lambda: here.locker.renew("L", "a"),
        lambda: here.locker.acquire("M", "event", owner="a"),
        lambda: here.throttler.claim("K", owner="a"),
        lambda: here.throttler.done("J", "a"),
        lambda: list(here.locker.holders()),
        here.locker.check,
        here.throttler.check,
    ):
        with pytest.raises(StoreError, match=own.socket):
            call()
    own.start()
    here.locker.check()
    with pytest.raises(LeaseLost):  # It kept nothing.
        here.locker.renew("L", "a")
    here.locker.acquire("L", "event", owner="a")
    here.locker.renew("L", "a")
    here.throttler.done("J", "a")
    with pytest.raises(DuplicatedMessage):
        here.throttler.claim("J", owner="b")


def test_scripts_that_the_server_forgot_are_loaded_again(own):
    """SCRIPT FLUSH forgets them, and so does a failover to a server that never had them."""
    here = host(own.url)
    here.locker.acquire("L", "event", owner="a")
    own.client.script_flush()
    with pytest.raises(AlreadyLocked):
        here.locker.acquire("L", "event", owner="b")


def test_connections_that_the_server_closed_while_they_were_idle_fail_no_call(own):
    """As a server with a `timeout`, or a balancer in front of it, does."""
    here = host(own.url)
    own.client.client_pause(60_000, all=False)  # So that each of them needs its own connection.
    asking = [gevent.spawn(here.locker.acquire, f"L{n}", "event", owner="a") for n in range(10)]
    eventually(lambda: 10 == len(own.client.client_list()) - 1)
    own.client.client_unpause()
    gevent.joinall(asking, raise_error=True)
    assert 10 == own.client.client_kill_filter(_type="normal", skipme=True)
    for number in range(10):
        here.locker.renew(f"L{number}", "a")


def test_more_calls_than_connections_wait_for_one(own):
    """None of them fails for it."""
    here = host(own.url, connections=3)
    asking = [gevent.spawn(here.locker.acquire, f"L{n}", "event", owner="a") for n in range(100)]
    gevent.joinall(asking, raise_error=True)
    assert 100 == len(list(here.locker.holders()))
    # Those three, and the one of this test.
    assert len(own.client.client_list()) <= 4


def test_a_server_that_stands_still_is_a_store_error(own, monkeypatch):
    """It takes what is sent, and does not answer; later all goes on."""
    monkeypatch.setattr(server_module, "TIMEOUT", 0.2)
    here = host(own.url)
    here.locker.acquire("L", "event", owner="a")
    own.send(signal.SIGSTOP)
    with pytest.raises(StoreError, match=own.socket):
        here.locker.renew("L", "a")
    with pytest.raises(StoreError, match=own.socket):
        here.locker.check()
    own.send(signal.SIGCONT)
    eventually(own.client.ping)
    here.locker.renew("L", "a")


def test_calls_that_wait_in_vain_for_a_connection_are_a_store_error(own, monkeypatch):
    """But renewals have connections of their own."""
    monkeypatch.setattr(server_module, "TIMEOUT", 0.2)
    here = host(own.url, connections=1)
    here.locker.acquire("L", "event", owner="a")
    places = here.locker._server._places
    places.acquire()
    with pytest.raises(StoreError, match="no connection is free"):
        here.locker.acquire("M", "event", owner="a")
    here.locker.renew("L", "a")
    places.release()
    here.locker.acquire("M", "event", owner="a")


#: Each is made over lock or job W first, so that the answer that is lost is not that of a server
#: which does not have its script yet; then over X.
CALLS = {
    "acquire": lambda here, name: here.locker.acquire(name, "event", owner="a"),
    "renew": lambda here, name: here.locker.renew(f"held-{name}", "a"),
    "release": lambda here, name: here.locker.release(f"held-{name}", "a"),
    "evict": lambda here, name: here.locker.evict(
        Holder(lock_id=f"held-{name}", event_id="event", owner="a")
    ),
    "claim": lambda here, name: here.throttler.claim(name, owner="a"),
    "renew a claim": lambda here, name: here.throttler.renew(f"held-{name}", "a"),
    "done": lambda here, name: here.throttler.done(f"held-{name}", "a"),
    "release a claim": lambda here, name: here.throttler.release(f"held-{name}", "a"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_whose_answer_was_lost_is_made_again_and_is_a_success(own, losing, call):
    """What it asked for was heard the first time, and was its own."""
    here = host(f"unix://{losing.path}")
    for name in ("W", "X"):
        here.locker.acquire(f"held-{name}", "event", owner="a")
        here.throttler.claim(f"held-{name}", owner="a")
    CALLS[call](here, "W")
    losing.lost = 1
    assert CALLS[call](here, "X") is not False
    assert 0 == losing.lost


def test_a_lock_whose_take_was_heard_twice_has_one_token(own, losing):
    """And a new version, for its lease begins with the call that was answered."""
    here, other = host(f"unix://{losing.path}"), host(own.url)
    here.locker.acquire("W", "event", owner="a")
    losing.lost = 1
    token = here.locker.acquire("L", "event", owner="a")
    assert 2 == other.locker.holder("L").version
    assert str(token) == own.client.hget("sqsjkr:lock:L", "token")


def test_a_lock_that_was_renewed_between_look_and_take_is_not_taken_over(own, monkeypatch):
    """The take is on the condition that owner and version are those that were seen."""
    here, holder = host(own.url), host(own.url)
    holder.locker.acquire("L", "event", owner="a")
    holder.throttler.claim("J", owner="a")
    run, tries = here.locker._server.run, []

    def renew_between(operation: str, *arguments, **options) -> list:
        tries.append(operation)
        if tries.count(operation) == 2:
            holder.locker.renew("L", "a")
            holder.throttler.renew("J", "a")
        return run(operation, *arguments, **options)

    monkeypatch.setattr(here.locker._server, "run", renew_between)
    with pytest.raises(AlreadyLocked) as refused:
        here.locker.acquire("L", "event", owner="b", heir_of="a")
    assert LEASE == pytest.approx(refused.value.lapses_in, abs=1)
    here.throttler._watch.lapses_in = lambda *_: 0.0
    with pytest.raises(JobInProgress):
        here.throttler.claim("J", owner="b")
    assert ["acquire", "acquire", "claim", "claim"] == tries
    holder.locker.renew("L", "a")
    holder.throttler.renew("J", "a")


def test_tokens_grow_also_where_the_server_lost_all_it_had(own):
    """They begin at the clock, so they are above those that were given out before."""
    here = host(own.url)
    given_out = []
    for number in range(3):
        given_out.append(here.locker.acquire("L", "event", owner=f"owner-{number}"))
        here.locker.release("L", f"owner-{number}")
    eventually(lambda: time.time_ns() // 1_000_000 > given_out[-1])
    own.client.flushall()
    assert here.locker.acquire("L", "event", owner="after") > given_out[-1]


def test_a_full_server_refuses_what_is_new_and_lets_what_runs_end_well(own):
    """StoreError to new jobs. Those in progress keep their leases and are marked as done."""
    here = host(own.url)
    here.locker.acquire("L", "event", owner="a")
    here.locker.acquire("M", "event", owner="a")
    for job_id in ("J", "K"):
        here.throttler.claim(job_id, owner="a")
    own.client.config_set("maxmemory", "1")
    for call in (
        lambda: here.locker.acquire("N", "event", owner="a"),
        lambda: here.throttler.claim("N", owner="a"),
        here.locker.check,
        here.throttler.check,
    ):
        with pytest.raises(StoreError, match="maxmemory"):
            call()
    here.locker.renew("L", "a")
    here.locker.release("L", "a")
    assert here.locker.evict(here.locker.holder("M"))
    here.throttler.renew("J", "a")
    here.throttler.done("J", "a")
    here.throttler.release("K", "a")
    own.client.config_set("maxmemory", "0")
    here.locker.check()
    assert [] == list(here.locker.holders())
    with pytest.raises(DuplicatedMessage):
        here.throttler.claim("J", owner="b")


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [
        ("default:wrong", 0, "invalid username-password pair"),
        (None, 0, "Authentication required"),
        ("default:s3cret", 99, "DB index"),
        ("stranger:s3cret", 0, "no permissions"),
        ("reader:s3cret", 0, "can't|ACL failure"),
    ],
    ids=["wrong password", "no password", "no such database", "other keys", "reads only"],
)
def test_what_another_config_alone_can_cure_ends_the_start(make_redis, user, database, said):
    """A StartError, without the password; to a job that meets it later it is a StoreError."""
    own = make_redis()
    own.client.acl_setuser("stranger", enabled=True, passwords=["+s3cret"], keys=["other:*"])
    own.client.execute_command("ACL", "SETUSER", "stranger", "+@all")
    own.client.acl_setuser("reader", enabled=True, passwords=["+s3cret"], keys=["*"])
    own.client.execute_command("ACL", "SETUSER", "reader", "+@read", "+@scripting")
    own.client.config_set("requirepass", "s3cret")
    access = "" if user is None else f"{user}@"
    here = host(f"unix://{access}{own.socket}?db={database}")
    for check in (here.locker.check, here.throttler.check):
        with pytest.raises(StartError, match=said) as refused:
            check()
        assert "s3cret" not in str(refused.value)
    with pytest.raises(StoreError):
        here.locker.acquire("L", "event", owner="a")


def test_whoever_may_not_scan_is_told_so_and_can_still_run_jobs(own):
    """The permissions that docs/locking.md names are enough but for the list of holders."""
    rights = "+evalsha +script|load +time +hset +hget +hmget +hgetall +hincrby +hdel +del"
    rights += " +pexpire +persist"
    user = f"ACL SETUSER kicker on >pw ~sqsjkr:* {rights}"
    own.client.execute_command(*user.split())
    here = host(f"unix://kicker:pw@{own.socket}")
    here.locker.check()
    here.locker.acquire("L", "event", owner="a", free_in=1.0)
    here.locker.renew("L", "a")
    assert "a" == here.locker.holder("L").owner
    here.locker.release("L", "a")
    here.throttler.claim("J", owner="a")
    here.throttler.renew("J", "a")
    here.throttler.done("J", "a")
    here.throttler.release("J", "a")
    with pytest.raises(StartError, match="'scan'"):
        list(here.locker.holders())
    said = stores(f"unix://kicker:pw@{own.socket}").backend("redis").check()
    assert f"Redis answers at {own.socket}" == said


# Keys.


def test_keys_are_kept_as_long_as_they_are_needed(redis_server):
    """A held lock for ever, a free one for its token, a job for two leases at least."""
    prefix, left = fresh_prefix(), redis_server.client.pttl
    here = host(redis_server.url, prefix)
    brief = RedisThrottler(connect(redis_server.url), prefix, lease=LEASE, retention=LEASE / 10)
    here.locker.acquire("L", "event", owner="a")
    lock, job = f"{prefix}:lock:L", f"{prefix}:job:J"
    assert -1 == left(lock)
    here.locker.release("L", "a")
    assert (FREE_LOCK_KEPT - 60) * 1000 < left(lock) <= FREE_LOCK_KEPT * 1000
    here.locker.acquire("L", "event", owner="a")
    assert -1 == left(lock)
    for call in (lambda: brief.claim("J", owner="a"), lambda: brief.renew("J", "a")):
        redis_server.client.persist(job)
        call()
        assert LEASE * 1000 < left(job) <= 2 * LEASE * 1000
    brief.done("J", "a")
    assert 0 < left(job) <= LEASE / 10 * 1000


def test_a_table_with_special_characters_is_no_pattern(redis_server):
    """A scan matches by patterns, in which these mean something else."""
    prefix = fresh_prefix()
    host(redis_server.url, f"{prefix}aa").locker.acquire("other", "event", owner="a")
    for table in (f"{prefix}a*", f"{prefix}[a]a", f"{prefix}?a", f"{prefix}a\\"):
        here = host(redis_server.url, table)
        here.locker.acquire("L", "event", owner="a")
        here.throttler.claim("J", owner="a")
        assert ["L"] == [one.lock_id for one in here.locker.holders()]
        assert ["J"] == [one.job_id for one in here.throttler.running()]


def test_holders_are_found_on_all_pages_of_a_scan(redis_server, monkeypatch):
    """Each once; keys that are no locks of ours do not count."""
    monkeypatch.setattr(server_module, "PAGE", 7)
    here = host(redis_server.url, fresh_prefix())
    for number in range(100):
        here.locker.acquire(f"L{number}", "event", owner="a")
        here.throttler.claim(f"J{number}", owner="a")
    assert sorted(f"L{n}" for n in range(100)) == sorted(h.lock_id for h in here.locker.holders())
    assert sorted(f"J{n}" for n in range(100)) == sorted(j.job_id for j in here.throttler.running())


def test_an_uncontended_lock_costs_one_call(own):
    """Its script is one EVALSHA."""
    here = host(own.url)
    here.locker.acquire("W", "event", owner="a")
    own.client.config_resetstat()
    here.locker.acquire("L", "event", owner="a")
    calls = own.client.info("commandstats")
    assert 1 == calls["cmdstat_evalsha"]["calls"]
    assert not {"cmdstat_eval", "cmdstat_script|load"} & calls.keys()


# The backend.


def test_check_says_which_redis_answers_where_and_changes_nothing(make_redis):
    """Without the password."""
    own = make_redis(tcp=True)
    own.client.config_set("requirepass", "s3cret")
    own.client.auth("s3cret")
    version = own.client.info("server")["redis_version"]
    over_tcp = stores(f"redis://:s3cret@127.0.0.1:{own.port}/1").backend("redis").check()
    over_unix = stores(f"unix://:s3cret@{own.socket}").backend("redis").check()
    assert f"Redis {version} answers at 127.0.0.1:{own.port}" == over_tcp
    assert f"Redis {version} answers at {own.socket}" == over_unix
    assert {} == own.client.info("keyspace")


def test_its_locks_can_be_seen_from_outside(redis_server):
    """So `sqsjkr-gevent locks` goes on."""
    assert None is stores(redis_server.url).backend("redis").check_visible()


def test_a_missing_package_is_a_config_error_that_says_how_to_install_it(monkeypatch):
    """The package is an extra."""
    for name in [name for name in sys.modules if name.split(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, server_module.__name__)
    with pytest.raises(ConfigError, match=r"pip install 'sqsjkr-gevent\[redis\]'"):
        stores("redis://127.0.0.1").locker()


@pytest.mark.parametrize("option", ["s3cret=1", "socket_timeout=s3cret", "health_check_interval=x"])
def test_a_url_with_a_wrong_option_is_a_config_error_that_does_not_show_it(option):
    """Where a password has a question mark in it, a part of it is taken for an option."""
    with pytest.raises(ConfigError, match=r"redis\.url") as refused:
        stores(f"redis://127.0.0.1/?{option}").locker()
    assert "s3cret" not in str(refused.value)


def test_each_call_is_told_to_the_observer_of_redis(own):
    """Health and metrics know by it what fails."""
    told = []

    def observer(service: str) -> Observer:
        return lambda operation, error: told.append((service, operation, error is None))

    locker = stores(own.url, observer).locker()
    locker.acquire("L", "event", owner="a")
    with pytest.raises(LeaseLost):
        locker.renew("L", "b")
    own.stop()
    with pytest.raises(StoreError):
        locker.release("L", "a")
    expected = [("acquire", True), ("renew", True), ("release", False)]
    assert [("redis", *one) for one in expected] == told


# Kickers.


@pytest.mark.queue(visibility_timeout=SHORT)
def test_ten_jobs_of_one_lock_over_two_kickers_survive_a_kill_without_overlap(
    aws, queue, redis_server, tmp_path, kick
):
    """The one that holds the lock is killed in the middle of a job; the other takes it over."""
    evidence = Evidence(tmp_path)
    store = {"backend": "redis", "table": fresh_prefix()}
    config = settings(
        aws,
        queue,
        sqs={"visibility_timeout": SHORT},
        kicker={"max_concurrent_num": 5, "max_waiting": 10},
        locker={**store, "lease": f"{SHORT}s"},
        throttler=store,
        redis={"url": redis_server.url},
    )
    kickers = [kick(config).started(), kick(config).started()]
    for number in range(10):
        queue.send(evidence.job(f"j{number}", 1, "L"))

    def third() -> list[str]:
        """The job that runs, from the third on."""
        return [name for name in evidence.begun - evidence.done if len(evidence.begun) >= 3]

    [running] = eventually(third, deadline=LONG)
    [victim] = eventually(lambda: [k for k in kickers if k.lines("job started", event_id=running)])
    [other] = [one for one in kickers if one is not victim]
    victim.send(signal.SIGKILL)
    victim.wait()
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    assert [] == evidence.faults()
    assert other.lines("job succeeded", event_id=running)
    calls = other.get("/metrics").decode()
    assert 'sqsjkr_api_calls_total{operation="acquire",result="ok",service="redis"}' in calls
    assert 0 == other.stop()


def test_a_kicker_stops_receiving_while_redis_is_away_and_goes_on_after(
    aws, queue, make_redis, kick
):
    """No job runs unguarded, and none is lost."""
    own = make_redis()
    store = {"backend": "redis"}
    config = settings(aws, queue, locker=store, throttler=store, redis={"url": own.url})
    kicker = kick(config).started()
    own.stop()
    queue.send({"command": "true", "event_id": "early"})
    kicker.says("no messages are received while this fails")
    assert own.socket in json.loads(_health(kicker))["errors"]["redis.claim"]
    own.start()
    kicker.says("job succeeded", event_id="early")
    eventually(lambda: {} == json.loads(_health(kicker))["errors"])
    assert 0 == kicker.stop()


def _health(kicker):
    import urllib.error

    try:
        return kicker.get("/healthz")
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.read()
