"""What an earlier version wrote: a config, rows of both stores, and a history.

The files in tests/earlier were written by a kicker of that version, whose names and layout were
others. It ended three jobs, one under the lock FREE, and was killed while it ran a fourth under the
lock TAKEN.
"""

import json
import sqlite3
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sqsjkr_gevent import AlreadyLocked, Config, DuplicatedMessage
from sqsjkr_gevent.errors import JobInProgress
from sqsjkr_gevent.stores.history import SqliteHistory
from sqsjkr_gevent.telemetry import Query, Record
from stores import Clock, Store, dynamodb, sqlite

EARLIER = Path(__file__).parents[1] / "earlier"

#: When it wrote them, in epoch seconds, and the leases that it gave.
WRITTEN_AT = 1795863137
LEASE = 5.0

#: The newest fencing tokens that it gave, by backend and lock.
TOKENS = {
    "dynamodb": {"FREE": 1795863137676, "TAKEN": 1795863137883},
    "sqlite": {"FREE": 1795863155162, "TAKEN": 1795863155380},
}


def restored(name: str, path: Path) -> sqlite3.Connection:
    """A SQLite file with what that dump says."""
    file = sqlite3.connect(path)
    file.executescript((EARLIER / name).read_text("utf-8"))
    return file


def sqlite_rows(request: pytest.FixtureRequest) -> tuple[Store, list[tuple[str, str, bool]]]:
    """The store, and the jobs in it: id, owner, whether done. As if written just now."""
    with restored("stores.sql", request.getfixturevalue("tmp_path") / "store.db") as file:
        file.execute("UPDATE jobs SET expired = expired + ?", (time.time() - WRITTEN_AT,))
        jobs = file.execute("SELECT job_id, owner, done FROM jobs").fetchall()
    file.close()
    return sqlite(request), [(job_id, owner, bool(done)) for job_id, owner, done in jobs]


def dynamodb_rows(request: pytest.FixtureRequest) -> tuple[Store, list[tuple[str, str, bool]]]:
    """The same of the table."""
    table = request.getfixturevalue("table")
    rows: list[dict[str, Any]] = json.loads((EARLIER / "table.json").read_text("utf-8"))
    for row in rows:
        if "Expired" in row:
            row["Expired"]["N"] = str(int(row["Expired"]["N"]) + int(time.time()) - WRITTEN_AT)
        table.dynamodb.put_item(TableName=table.name, Item=row)
    jobs = [row for row in rows if row["Type"]["S"] == "throttle"]
    return dynamodb(request), [
        (row["Id"]["S"], row["Owner"]["S"], row["Status"]["S"] == "done") for row in jobs
    ]


both = pytest.mark.parametrize("rows", [sqlite_rows, dynamodb_rows])


def backend_of(store: Store) -> str:
    """Its name in TOKENS."""
    return type(store).__name__


def test_a_config_means_what_it_meant():
    """Every key that there was, as that version read it."""
    now = json.loads(json.dumps(asdict(Config.load(str(EARLIER / "conf.toml")))))
    before = json.loads((EARLIER / "config.json").read_text("utf-8"))
    read = {name: {key: now[name][key] for key in keys} for name, keys in before.items()}
    assert before == read


@both
def test_a_job_that_was_done_does_not_run_again(request, rows):
    """A redelivery after the update is a duplicate."""
    store, jobs = rows(request)
    done = [job_id for job_id, _, is_done in jobs if is_done]
    assert 3 == len(done)
    for job_id in done:
        with pytest.raises(DuplicatedMessage):
            store.throttler(Clock()).claim(job_id, owner="new")


@both
def test_a_job_that_was_running_is_taken_over_with_its_lock(request, rows):
    """After its lease and not before; the fencing token goes on growing."""
    store, jobs = rows(request)
    [(job_id, owner)] = [(job_id, owner) for job_id, owner, is_done in jobs if not is_done]
    clock = Clock()
    throttler, locker = store.throttler(clock), store.locker(clock)
    with pytest.raises(JobInProgress) as busy:
        throttler.claim(job_id, owner="new")
    with pytest.raises(AlreadyLocked) as taken:
        locker.acquire("TAKEN", "event", owner="new")
    assert (LEASE, LEASE) == (busy.value.lapses_in, taken.value.lapses_in)
    clock.now += LEASE
    heir_of = throttler.claim(job_id, owner="new")
    assert owner == heir_of
    token = locker.acquire("TAKEN", "event", owner="new", heir_of=heir_of)
    assert (token or 0) > TOKENS[backend_of(store)]["TAKEN"]


@both
def test_a_lock_that_was_free_is_free_and_its_tokens_go_on_growing(request, rows):
    """A store that remembers the highest token refuses none of the new ones."""
    store, _ = rows(request)
    token = store.locker(Clock()).acquire("FREE", "event", owner="new")
    assert (token or 0) > TOKENS[backend_of(store)]["FREE"]


def test_a_history_is_read_and_continued(tmp_path):
    """Its ends, newest first; new ones come on top."""
    restored("history.sql", tmp_path / "h.db").close()
    history = SqliteHistory(
        str(tmp_path / "h.db"), run="new", keep=86400.0, clock=lambda: WRITTEN_AT + 60.0
    )
    try:
        history.check()
        before = history.find(Query())
        expected = [("done", "succeeded"), ("errored", "errored"), ("late", "failed")]
        assert expected == [(end.event_id, end.outcome) for end in before]
        assert ("oops\n", 3, "FREE") == (before[1].output, before[1].exit_status, before[0].lock_id)
        written = history.add(Record(**{**before[0]._asdict(), "seq": 0, "event_id": "new"}))
        assert written is not None
        assert written.wait(30)
        assert ["new", "done", "errored", "late"] == [end.event_id for end in history.find(Query())]
    finally:
        history.close()
