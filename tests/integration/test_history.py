"""The history of ends: in memory and in a file, by one suite."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sqsjkr_gevent.errors import StartError
from sqsjkr_gevent.stores.history import SqliteHistory
from sqsjkr_gevent.telemetry import History, MemoryHistory, Query, Record, Tally
from waiting import eventually

DAY = 86400.0


def an_end(number: int = 0, **more: Any) -> Record:
    """An end of a job, some of it given."""
    fields: dict[str, Any] = {
        "job_id": f"job-{number}", "event_id": f"event-{number % 3}", "lock_id": None,
        "command": "true", "outcome": "succeeded", "cause": "exit", "reason": "exit 0",
        "exit_status": 0, "sent_at": 1000.0, "ended_at": 1000.0 + number, "waited": 0.5,
        "ran": 0.25, "attempt": 1, "host": "h", "pid": 1, "output": f"out {number}\n",
    }  # fmt: skip
    return Record(**(fields | more))


@pytest.fixture
def clock() -> list[float]:
    """The wall clock's time, to be changed."""
    return [2000.0]


@pytest.fixture(params=["memory", "sqlite"])
def history(request: pytest.FixtureRequest, tmp_path: Path, clock: list[float]) -> Any:
    """Each kind of history."""
    if request.param == "memory":
        made: History = MemoryHistory()
    else:
        made = SqliteHistory(str(tmp_path / "h.db"), run="r", keep=7 * DAY, clock=lambda: clock[0])
    yield made
    made.close()


def opened(path: Path | str, run: str = "r") -> SqliteHistory:
    """A file's history, at a time soon after its ends."""
    return SqliteHistory(str(path), run=run, keep=DAY, clock=lambda: 2000.0)


def filled(history: History, ends: list[Record]) -> None:
    """Add them, and wait until they can be found."""
    before = sum(history.totals().values())
    for end in ends:
        history.add(end)
    eventually(lambda: sum(history.totals().values()) == before + len(ends))


def numbers(history: History, **query: Any) -> list[str]:
    """The job ids that a query finds."""
    return [end.job_id.removeprefix("job-") for end in history.find(Query(**query))]


def test_an_end_is_found_as_it_was_added(history: History) -> None:
    """All of it, whatever its text is."""
    end = an_end(1, command="echo '\N{SNOWMAN}'\n\x1b[1m", lock_id="L", ran=None, exit_status=None)
    filled(history, [end])
    [found] = history.find(Query())
    assert end.as_json(output=True) == {**found.as_json(output=True), "seq": 0}
    assert found.seq > 0


def test_ends_are_found_newest_first_by_each_of_their_names_and_by_time(history: History) -> None:
    """What somebody at night has is an id, a name, an outcome, or a time."""
    filled(history, [an_end(n, outcome="errored" if n % 2 else "succeeded") for n in range(6)])
    assert ["5", "4", "3", "2", "1", "0"] == numbers(history)
    assert ["4"] == numbers(history, job_id="job-4")
    assert ["4", "1"] == numbers(history, event_id="event-1")
    assert ["5", "3", "1"] == numbers(history, outcome="errored")
    assert ["1"] == numbers(history, outcome="errored", event_id="event-1")
    assert ["3", "2"] == numbers(history, since=1002.0, until=1003.0)
    assert [] == numbers(history, job_id="none")


def test_a_page_goes_on_where_the_one_before_ended(history: History) -> None:
    """By the number of its last end, so that nothing is missed while more come."""
    filled(history, [an_end(n) for n in range(5)])
    first = history.find(Query(limit=2))
    filled(history, [an_end(9)])
    assert ["2", "1"] == numbers(history, before=first[-1].seq, limit=2)


def test_totals_and_series_count_every_end(history: History) -> None:
    """The series by ten seconds, with what its jobs waited together."""
    filled(history, [an_end(n, ended_at=1995.0 + n, waited=n) for n in range(7)])
    filled(history, [an_end(9, ended_at=2001.0, outcome="failed")])
    assert {"succeeded": 7, "failed": 1} == dict(history.totals())
    assert {
        (1990, "succeeded"): Tally(5, 10.0),
        (2000, "succeeded"): Tally(2, 11.0),
        (2000, "failed"): Tally(1, 0.5),
    } == dict(history.series(0))
    assert {2000} == {at for at, _ in history.series(2000)}


def test_memory_keeps_the_last_thousand_and_counts_all(clock: list[float]) -> None:
    """A kicker that runs for years does not grow."""
    history = MemoryHistory()
    for number in range(1500):
        history.add(an_end(number, ended_at=number * 10.0))
    assert (1000, "1499", "500") == (
        len(history.find(Query(limit=5000))), numbers(history)[0],
        numbers(history, limit=5000)[-1],
    )  # fmt: skip
    assert {"succeeded": 1500} == dict(history.totals())
    assert 361 == len(history.series(0))


def test_a_file_is_there_after_a_restart_and_counts_anew(tmp_path: Path) -> None:
    """The ends are those of all; the totals are of one run, as the counters of sqsjkr are."""
    path = str(tmp_path / "h.db")
    first = opened(path, "one")
    filled(first, [an_end(1)])
    first.close()
    second = opened(path, "two")
    assert {} == second.totals()
    filled(second, [an_end(2, outcome="errored")])
    assert ["2", "1"] == numbers(second)
    assert {"errored": 1} == dict(second.totals())
    second.close()


def test_close_writes_what_was_added_a_moment_ago(tmp_path: Path) -> None:
    """The last jobs of a kicker are those that somebody will ask for."""
    history = opened(tmp_path / "h.db")
    for number in range(100):
        history.add(an_end(number))
    history.close()
    with sqlite3.connect(tmp_path / "h.db") as connection:
        assert (100,) == connection.execute("SELECT COUNT(*) FROM ends").fetchone()


def test_what_is_older_than_keep_is_removed(tmp_path: Path, clock: list[float]) -> None:
    """More than one transaction's worth of it, too."""
    history = SqliteHistory(str(tmp_path / "h.db"), run="r", keep=100.0, clock=lambda: clock[0])
    filled(history, [an_end(n, ended_at=2000.0) for n in range(2500)])
    clock[0] = 2101.0
    for late in range(4):
        filled(history, [an_end(3000 + late, ended_at=2101.0)])
    assert ["3003", "3002", "3001", "3000"] == numbers(history, limit=5000)
    assert {"succeeded": 2504} == dict(history.totals())
    history.close()


def test_a_fleet_without_a_file_of_its_own_keeps_the_last_ones(
    tmp_path: Path, clock: list[float]
) -> None:
    """most: by number instead of by age."""
    history = SqliteHistory(
        str(tmp_path / "h.db"), run="r", keep=DAY, max_records=10, clock=lambda: clock[0]
    )
    filled(history, [an_end(n) for n in range(30)])
    clock[0] += 61
    filled(history, [an_end(30)])
    assert [str(n) for n in range(30, 20, -1)] == numbers(history)
    history.close()


SHARED = """
from gevent import monkey; monkey.patch_all()
import sys
sys.path.insert(0, sys.argv[2])
from test_history import an_end, opened
history = opened(sys.argv[1])
for number in range(500):
    history.add(an_end(int(sys.argv[3]) + number, ended_at=1000.0))
history.close()
"""


def started(program: str, *arguments: object) -> "subprocess.Popen[bytes]":
    """A program of this module in a process of its own."""
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, "-c", program, str(arguments[0]), str(here), *map(str, arguments[1:])],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
    )


def test_processes_that_share_a_file_lose_nothing(tmp_path: Path) -> None:
    """Four at once, and the totals are of them all."""
    path = tmp_path / "h.db"
    processes = [started(SHARED, path, number * 500) for number in range(4)]
    assert [0, 0, 0, 0] == [process.wait(60) for process in processes]
    history = opened(path)
    assert {"succeeded": 2000} == dict(history.totals())
    assert 2000 == len(set(numbers(history, limit=5000)))
    history.close()


KILLED = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
sys.path.insert(0, sys.argv[2])
from test_history import an_end, opened
history = opened(sys.argv[1])
n = 0
while True:
    history.add(an_end(n % 900)); n += 1
    if n % 50 == 0: gevent.sleep(0.001)
"""


def test_totals_equal_the_ends_whenever_the_process_is_killed(tmp_path: Path) -> None:
    """By SIGKILL, in the midst of it."""
    path = tmp_path / "h.db"
    process = started(KILLED, path)
    history = opened(path)
    eventually(lambda: sum(history.totals().values()) > 2000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with sqlite3.connect(path) as connection:
        (ends,) = connection.execute("SELECT COUNT(*) FROM ends").fetchone()
    assert {"succeeded": ends} == dict(history.totals())
    history.close()


def test_a_file_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    """It names the key."""
    (tmp_path / "no.db").write_text("this is no database, but a text that is long enough" * 50)
    for path in (tmp_path / "no.db", tmp_path / "missing" / "h.db"):
        with pytest.raises(StartError) as caught:
            opened(path).check()
        assert "history.path" in str(caught.value)
        assert str(path) in str(caught.value)


def held_for_writing(path: Path) -> Callable[[], None]:
    """Keep all others from writing; answers what lets them."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return lambda: (connection.execute("ROLLBACK"), connection.close())[1]


def test_no_job_waits_for_a_file_that_is_busy(tmp_path: Path) -> None:
    """What could not be written is written later."""
    path = tmp_path / "h.db"
    history = opened(path)
    filled(history, [an_end(0)])
    let_go = held_for_writing(path)
    kept = [history.add(an_end(number)) for number in range(1, 4)]
    assert ["0"] == numbers(history)
    assert [False] * 3 == [one.wait(0.1) for one in kept]
    let_go()
    assert [True] * 3 == [one.wait(30) for one in kept]
    eventually(lambda: ["3", "2", "1", "0"] == numbers(history))
    history.close()


def test_what_waits_for_a_disk_is_bounded_and_the_totals_know_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are given up, and it is said how many."""
    monkeypatch.setattr("sqsjkr_gevent.stores.history.MAX_PENDING", 10)
    monkeypatch.setattr("sqsjkr_gevent.stores.sqlite_file.BUSY_TIMEOUT", 0.1)
    path = tmp_path / "h.db"
    history = opened(path)
    filled(history, [an_end(0)])
    let_go = held_for_writing(path)
    kept = [history.add(an_end(number)) for number in range(1, 31)][-1]
    eventually(lambda: not kept.wait(0.3))
    for number in range(31, 41):
        history.add(an_end(number))
    let_go()
    eventually(lambda: {"succeeded": 41} == dict(history.totals()), deadline=30)
    assert [*range(40, 30, -1), 0] == [int(number) for number in numbers(history)]
    history.close()


def test_an_unforeseen_fault_of_one_batch_does_not_end_the_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its jobs must not wait either."""
    history = opened(tmp_path / "h.db")
    filled(history, [an_end(0)])
    with monkeypatch.context() as patched:
        patched.setattr(history, "_write", lambda ends: 1 / 0)
        assert history.add(an_end(1)).wait(30)
    filled(history, [an_end(2)])
    assert ["2", "0"] == numbers(history)
    history.close()


def test_the_file_is_readable_for_its_owner_only(tmp_path: Path) -> None:
    """As it holds what the page needs a token for."""
    history = opened(tmp_path / "h.db")
    history.check()
    filled(history, [an_end(1)])
    assert {0o600} == {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    history.close()
