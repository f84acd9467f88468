"""`locks` over real stores, and a real kicker that loses a lock."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from gates import Gate
from kickers import DEADLINE, settings, toml
from sqsjkr_gevent.cli.locks.lapsed import Leftover, free_lapsed
from sqsjkr_gevent.cli.locks.watch import Alive, watch_lapse
from sqsjkr_gevent.stores import Holder, ListedLocker
from sqsjkr_gevent.stores.dynamodb import DynamoDBLocker
from sqsjkr_gevent.stores.sqlite import SqliteLocker
from sqsjkr_gevent.stores.sqlite_file import SqliteFile
from stores import Clock, dynamodb_client
from waiting import eventually

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]

#: Seconds; the least that the config takes.
LEASE = 5


@pytest.fixture
def config(aws: Any, tmp_path: Path) -> dict[str, Any]:
    """A config whose locks are in a file; there is neither queue nor table."""
    nothing = type("Q", (), {"name": "no-queue"})
    locker = {"backend": "sqlite", "table": str(tmp_path / "locks.db"), "lease": LEASE}
    return settings(aws, nothing, locker=locker)


@pytest.fixture
def file_locker(config: dict[str, Any]) -> SqliteLocker:
    """Another process's locker over that file."""
    return SqliteLocker(SqliteFile(config["locker"]["table"]), lease=LEASE)


@pytest.fixture
def locks(aws: Any, tmp_path: Path) -> Any:
    """Run `locks` to its end with a config, and say what it said."""

    def run(config: dict[str, Any], *arguments: str, **options: Any) -> Any:
        conf = tmp_path / "conf.toml"
        conf.write_text(toml(config))
        return subprocess.run(
            [*COMMAND, "locks", *arguments, "-c", str(conf)],
            env={**os.environ, **aws.env},
            text=True,
            timeout=DEADLINE,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )

    return run


def kept(locker: SqliteLocker, owner: str) -> Callable[[], None]:
    """Renew lock L until the answer is called, as a living kicker does."""

    def renew() -> None:
        while True:
            locker.renew("L", owner)
            gevent.sleep(0.1)

    renewing = gevent.spawn(renew)
    return renewing.kill


@pytest.mark.servers("ministack", "moto")
def test_the_holders_are_listed_oldest_first(
    locks: Any, aws: Any, queue: Any, table: Any, request: pytest.FixtureRequest
) -> None:
    """sqsjkr's among them, whose age and name nobody noted."""
    from sqsjkr_gevent.aws.table import Table as StoreTable

    config = settings(aws, queue, table)
    empty = locks(config)
    assert (0, "") == (empty.returncode, empty.stdout), empty.stderr
    assert "sqsjkr-gevent: no lock is held\n" == empty.stderr
    locker = DynamoDBLocker(StoreTable(dynamodb_client(request), table.name), lease=60.0)
    before = int(time.time())
    locker.acquire("report", "nightly", owner="web-1:42:abc")
    locker.acquire("free", "nightly", owner="web-1:42:abc")
    locker.release("free", "web-1:42:abc")
    table.dynamodb.put_item(
        TableName=table.name,
        Item={"Id": {"S": "old"}, "Type": {"S": "lock"}, "EventId": {"S": "theirs"}},
    )
    done = locks(config)
    assert (0, "") == (done.returncode, done.stderr)
    header, theirs, ours = (line.split("\t") for line in done.stdout.splitlines())
    assert ["lock", "event", "holder", "held for", "lease"] == header
    assert ["old", "theirs", "a sqsjkr host", "unknown", "none"] == theirs
    assert ["report", "nightly", "web-1:42:abc", "1m0s"] == ours[:3] + ours[4:]
    theirs, ours = json.loads(locks(config, "--json").stdout)
    assert {
        "lock_id": "old",
        "event_id": "theirs",
        "holder": None,
        "since": None,
        "age": None,
        "lease": None,
    } == theirs
    assert before <= ours["since"] <= time.time()
    assert 0 <= ours["age"] <= time.time() - before
    assert (60.0, "web-1:42:abc") == (ours["lease"], ours["holder"])


@pytest.mark.slow
def test_a_terminal_sees_a_table_and_no_escapes_of_others(
    locks: Any, config: Any, file_locker: SqliteLocker
) -> None:
    """An event_id comes from whoever may send a message."""
    file_locker.acquire("L", "bad \x1b[2J\n[bold]", owner="web-1:42:abc")
    ours, theirs = pty.openpty()
    done = locks(config, stdout=theirs)
    os.close(theirs)
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert 0 == done.returncode, done.stderr
    assert "HELD FOR" in seen
    assert "bad \\x1b[2J\\n[bold]" in seen
    assert "\x1b[2J" not in seen


@pytest.mark.slow
def test_the_lock_of_a_holder_that_is_gone_is_released_after_a_lease(
    locks: Any, config: Any, file_locker: SqliteLocker
) -> None:
    """No earlier: another host's clock says nothing, so only watching tells."""
    token = file_locker.acquire("L", "event", owner="web-1:42:abc")
    began = time.monotonic()
    done = locks(config, "release", "L", "--yes")
    assert (0, "lock 'L' is released\n") == (done.returncode, done.stdout), done.stderr
    assert time.monotonic() - began >= LEASE
    assert "held by web-1:42:abc" in done.stderr
    assert token is not None
    assert (file_locker.acquire("L", "event", owner="b") or 0) > token


def test_a_holder_that_renews_keeps_its_lock_unless_it_is_forced(
    locks: Any, config: Any, file_locker: SqliteLocker
) -> None:
    """It is seen at the first renewal, long before the lease is over."""
    file_locker.acquire("L", "event", owner="web-1:42:abc")
    stop = kept(file_locker, "web-1:42:abc")
    done = locks(config, "release", "L", "--yes")
    assert (1, "") == (done.returncode, done.stdout)
    assert "held by web-1:42:abc, which renews it" in done.stderr
    assert "--force" in done.stderr
    assert file_locker.holder("L") is not None
    forced = locks(config, "release", "L", "--yes", "--force")
    assert 0 == forced.returncode, forced.stderr
    assert forced.stdout.startswith("lock 'L' is released; if its holder is alive")
    assert None is file_locker.holder("L")
    stop()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
@pytest.mark.slow
def test_it_asks_on_a_terminal(
    locks: Any, config: Any, file_locker: SqliteLocker, answer: str, code: int
) -> None:
    """A lock that is released in error lets two jobs at one thing."""
    file_locker.acquire("L", "event", owner="a")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = locks(config, "release", "L", "--force", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert code == done.returncode
    assert "[y/N]" in done.stderr
    assert (code == 0) == (file_locker.holder("L") is None)


@pytest.mark.slow
def test_a_terminal_sees_how_long_it_takes(
    locks: Any, config: Any, file_locker: SqliteLocker
) -> None:
    """A lease of a minute is a long time to look at nothing."""
    file_locker.acquire("L", "event", owner="a")
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    done = locks(config, "release", "L", stdin=theirs, stderr=theirs)
    os.close(theirs)
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert (0, "lock 'L' is released\n") == (done.returncode, done.stdout), seen
    assert "Release it, if it is not renewed within 5s? [y/N]" in seen
    assert "4 s to go" in seen


def test_without_a_terminal_it_does_not_ask_and_does_nothing(
    locks: Any, config: Any, file_locker: SqliteLocker
) -> None:
    """A script says --yes."""
    file_locker.acquire("L", "event", owner="a")
    done = locks(config, "release", "L")
    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert "--yes" in done.stderr
    assert file_locker.holder("L") is not None


def test_a_lock_that_nobody_holds_is_an_error(
    locks: Any, config: Any, file_locker: SqliteLocker
) -> None:
    """It may be a slip of the pen."""
    file_locker.check()
    done = locks(config, "release", "L", "--yes")
    assert (1, "sqsjkr-gevent: lock 'L' is not held\n") == (done.returncode, done.stderr)


@pytest.mark.slow
def test_a_lock_of_sqsjkr_is_released_with_a_warning(
    locks: Any, aws: Any, queue: Any, table: Any
) -> None:
    """It has no lease that could be watched, so it is up to whoever asks."""
    table.dynamodb.put_item(
        TableName=table.name,
        Item={"Id": {"S": "L"}, "Type": {"S": "lock"}, "EventId": {"S": "theirs"}},
    )
    done = locks(settings(aws, queue, table), "release", "L", "--yes")
    assert (0, "lock 'L' is released\n") == (done.returncode, done.stdout)
    assert "warning: it has no lease" in done.stderr
    assert "EventId" not in (table.row("L", "lock") or {})


@pytest.mark.parametrize(
    ("backend", "arguments", "code", "said"),
    [
        ("none", [], 0, "there are no locks"),
        ("none", ["release", "L", "--yes"], 2, "there are no locks"),
        ("memory", [], 2, "`sqsjkr-gevent status`"),
        ("memory", ["release", "L", "--yes"], 2, "in the kicker's process"),
        ("custom_locker:Custom", [], 2, "cannot list its locks"),
        ("sqlite", [], 1, "does not exist: no kicker has used it"),
        ("dynamodb", [], 1, "`sqsjkr-gevent init`"),
    ],
)
def test_where_locks_cannot_be_seen_it_says_why(
    locks: Any, config: Any, tmp_path: Path, backend: str, arguments: Any, code: int, said: str
) -> None:
    """And it makes neither a file nor a table."""
    (tmp_path / "custom_locker.py").write_text(
        "class Custom:\n    def lock(self, i, e): pass\n    def unlock(self, i): pass\n"
    )
    config["locker"] |= {"backend": backend, "table": "none-there"}
    done = locks(config, *arguments, cwd=tmp_path)
    assert (code, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert said in done.stderr
    assert not (tmp_path / "none-there").exists()


@pytest.mark.slow
def test_a_job_whose_lock_was_released_by_force_is_killed(
    locks: Any, aws: Any, queue: Any, table: Any, kick: Any
) -> None:
    """Its renewal fails, so its kicker knows that another may hold the lock by now."""
    config = settings(aws, queue, table, locker={"lease": "5s"})
    kicker = kick(config).started()
    queue.send({"command": "sleep 60", "lock_id": "L"})
    (held,) = eventually(lambda: json.loads(locks(config, "--json").stdout))
    assert f":{kicker.pid}:" in held["holder"]
    assert 0 == locks(config, "release", "L", "--yes", "--force").returncode
    kicker.says("lease lost")


def sqsjkr_takes(table: Any, row_id: str, kind: str) -> bool:
    """Whether a sqsjkr host would take the lock, or run the job, of that id."""
    name = {"lock": "EventId", "throttle": "Expired"}[kind]
    try:
        table.dynamodb.update_item(
            TableName=table.name,
            Key={"Id": {"S": row_id}, "Type": {"S": kind}},
            UpdateExpression=f"SET {name} = :one",
            ConditionExpression=f"attribute_not_exists({name})",
            ExpressionAttributeValues={":one": {"S": "e"} if kind == "lock" else {"N": "1"}},
        )
    except table.dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


@pytest.mark.queue(visibility_timeout=5)
def test_what_a_killed_kicker_left_is_no_obstacle_to_sqsjkr_any_more(
    locks: Any, aws: Any, queue: Any, make_queue: Any, table: Any, tmp_path: Path, kick: Any
) -> None:
    """It would never take the lock, and drop the redelivered job as seen. What lives stays."""
    sections: dict[str, Any] = {"sqs": {"visibility_timeout": LEASE}, "locker": {"lease": LEASE}}
    config = settings(aws, queue, table, **sections)
    gate, living_queue = Gate(tmp_path), make_queue()
    killed = kick(config).started()
    living = kick(settings(aws, living_queue, table, **sections)).started()
    job_id = queue.send({"command": "sleep 600", "lock_id": "L"})
    living_id = living_queue.send({"command": gate.command, "lock_id": "M"})
    killed.says("job started")
    living.says("job started")
    killed.process.kill()
    assert (False, False) == (
        sqsjkr_takes(table, "L", "lock"),
        sqsjkr_takes(table, job_id, "throttle"),
    )
    done = locks(config, "release", "--ours-lapsed", "-y")
    assert 0 == done.returncode, done.stderr
    assert [
        "2 of 4 released",
        f"job {job_id} is forgotten: its message counts as new when redelivered",
        "lock 'L' is released",
    ] == sorted(done.stdout.splitlines())
    alone = [line for line in done.stderr.splitlines() if line.endswith("left alone")]
    assert 2 == len(alone)
    assert all(f":{living.pid}:" in line for line in alone)
    assert (True, True) == (
        sqsjkr_takes(table, "L", "lock"),
        sqsjkr_takes(table, job_id, "throttle"),
    )
    assert (False, False) == (
        sqsjkr_takes(table, "M", "lock"),
        sqsjkr_takes(table, living_id, "throttle"),
    )
    gate.open()
    living.says("job succeeded")
    assert [] == living.lines("lease lost")
    again = locks(config, "release", "--ours-lapsed", "-y")
    assert (0, "") == (again.returncode, again.stdout)
    assert "no sqsjkr-gevent kicker holds a lock" in again.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["L", "--ours-lapsed"], ["--ours-lapsed", "--force"]], ids=" ".join
)
def test_which_locks_are_meant_must_be_said(locks: Any, config: Any, arguments: list[str]) -> None:
    """And all of them are never released by force."""
    done = locks(config, "release", "--yes", *arguments)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "--ours-lapsed" in done.stderr


def test_each_lapsed_one_is_ended_after_its_own_lease() -> None:
    """A lease of hours keeps nobody from taking the others."""
    clock, freed = Clock(0.0), []

    def left(name: str, lease: float, lives: bool) -> Leftover:
        return Leftover(what=name, owner="a", lease=lease, freed_text="", free=lambda: not lives)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    all_ = [left("long", 60.0, False), left("lives", 5.0, True), left("short", 5.5, False)]
    for one, is_free in free_lapsed(all_, lambda wait: None, clock=clock, sleep=sleep):
        freed.append((one.what, is_free, clock.now))
    assert [("lives", False, 5.0), ("short", True, 5.5), ("long", True, 60.0)] == freed


class Scripted:
    """A locker whose holder of L changes from look to look."""

    def __init__(self, *answers: Holder | None) -> None:
        self.answers = list(answers)

    def holders(self) -> Any:
        """Not asked for."""

    def holder(self, lock_id: str) -> Holder | None:
        """The next answer, the last one for ever."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def evict(self, holder: Holder, *, force: bool = False) -> bool:
        """Not asked for."""
        raise NotImplementedError


SEEN = Holder(lock_id="L", event_id="e", owner="a", version=1, lease=60.0)


def looked(*answers: Holder | None) -> tuple[bool, float]:
    """What watching says, and after how many seconds."""
    clock = Clock(0.0)
    locker: ListedLocker = Scripted(*answers)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    lapsed = watch_lapse(locker, SEEN, lambda left: None, clock=clock, sleep=sleep)
    return lapsed, clock.now


def test_a_lease_has_lapsed_once_it_was_the_same_for_its_whole_length() -> None:
    """By this host's own clock, and not a second earlier."""
    assert (True, 60.0) == looked(SEEN)


def test_a_lock_that_is_given_back_while_it_is_watched_needs_no_release() -> None:
    """Its job ended as it should."""
    assert (False, 3.0) == looked(SEEN, SEEN, None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 2}, "held by a, which renews it"),
        ({"owner": "b"}, "is now held by b"),
        ({"owner": None, "version": None, "lease": None}, "is now held by a sqsjkr host"),
    ],
)
def test_any_change_of_the_row_is_a_sign_of_life(changed: dict[str, Any], said: str) -> None:
    """Also one just before the end of the lease."""
    import dataclasses

    with pytest.raises(Alive, match=said):
        looked(*[SEEN] * 55, dataclasses.replace(SEEN, **changed))
