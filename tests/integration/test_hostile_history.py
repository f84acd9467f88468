"""Whatever the history file is, a kicker says one clear error or shows what is right."""

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile import search
from sqsjkr_gevent.errors import StartError, StoreError
from sqsjkr_gevent.stores.history import SqliteHistory
from sqsjkr_gevent.telemetry import Query, Record
from sqsjkr_gevent.web.live import series

#: Seconds for all that a test asks of a file, on a loaded machine.
SOON = 60.0

DAY = 86400.0


def an_end(number: int) -> Record:
    """How a job ended."""
    return Record(
        f"job-{number}", f"event-{number % 3}", None, "true", "succeeded", "exit", "exit 0", 0,
        1000.0, 1990.0 + number % 10, 0.5, 0.25, 1, "h", 1, f"out {number}\n" * 20,
    )  # fmt: skip


def opened(path: Path) -> SqliteHistory:
    """The history of that file, at a time soon after its ends."""
    return SqliteHistory(str(path), run="r", keep=DAY, clock=lambda: 2000.0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file with 200 ends, all in one file."""
    path = tmp_path_factory.mktemp("sound") / "h.db"
    history = opened(path)
    history.check()
    for number in range(200):
        history.add(an_end(number))
    history.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes()


def use(path: Path) -> list[str]:
    """Do all that a kicker does with its history. Returns the errors that it would show."""
    began = time.monotonic()
    history = opened(path)
    errors = []

    def attempt(call) -> None:
        try:
            call()
        except (StartError, StoreError) as error:
            errors.append(str(error))

    def totals() -> None:
        assert all(isinstance(ends, int) for ends in history.totals().values())

    def shown() -> None:
        ends = history.find(Query())
        json.dumps([end.as_json(output=True) for end in ends], allow_nan=False)
        assert all(Record(*end) and isinstance(end.command, str) for end in ends)

    attempt(history.check)
    attempt(shown)
    attempt(totals)
    attempt(lambda: json.dumps(series(history.series(0)), allow_nan=False))
    written = history.add(an_end(1))
    if not errors and written is not None:
        written.wait(1.0)
    attempt(shown)
    history.close()
    assert time.monotonic() - began < SOON
    assert all(str(path) in error and "\n" not in error for error in errors)
    return errors


def files_of(path: Path) -> None:
    """Remove the file, and those that SQLite puts beside it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


@st.composite
def damages(draw) -> list[tuple[int, bytes]]:
    """Places in a file, as parts of its length, and what is written there."""
    places = st.integers(0, 10**6)
    return draw(st.lists(st.tuples(places, st.binary(min_size=1, max_size=64)), max_size=12))


@given(
    cut=st.integers(0, 10**6), whole=st.booleans(), damaged=damages(), beside=st.binary(max_size=64)
)
@search(25)
def test_a_damaged_file_is_an_error_or_shows_what_is_right(
    sound, tmp_path, capfd, cut, whole, damaged, beside
):
    """A disk that failed must not take the page with it, and never the jobs."""
    path = tmp_path / "h.db"
    files_of(path)
    content = bytearray(sound if whole else sound[: len(sound) * cut // 10**6])
    for place, piece in damaged:
        at = len(content) * place // 10**6
        content[at : at + len(piece)] = piece
    path.write_bytes(content)
    if beside:
        Path(f"{path}-wal").write_bytes(beside)
    use(path)
    assert "Traceback" not in capfd.readouterr().err


#: Tables with the names of ours, made by another program or by hand.
FOREIGN = {
    "other columns": "CREATE TABLE ends (seq, name)",
    "other types": (
        "CREATE TABLE ends (seq, job_id, event_id, lock_id, command, outcome, cause, reason,"
        " exit_status, sent_at, ended_at, waited, ran, attempt, host, pid, output);"
        "INSERT INTO ends VALUES (1, x'00ff', 1, 2, NULL, 3.5, 'c', x'ff', 'zero', 'then', 'now',"
        " 9e999, x'', 'first', NULL, 'me', x'ff')"
    ),
    "text that is no UTF-8": (
        "CREATE TABLE ends (seq, job_id, event_id, lock_id, command, outcome, cause, reason,"
        " exit_status, sent_at, ended_at, waited, ran, attempt, host, pid, output);"
        "INSERT INTO ends (seq, job_id) VALUES (1, CAST(x'ff' AS TEXT))"
    ),
    "totals that are no numbers": (
        "CREATE TABLE totals (run, outcome, ends, at, PRIMARY KEY (run, outcome));"
        "INSERT INTO totals VALUES ('r', 'succeeded', 'many', 0), ('r', x'ff', NULL, 0)"
    ),
    "a series that is none": (
        "CREATE TABLE series (run, at, outcome, ends, waited, PRIMARY KEY (run, at, outcome));"
        "INSERT INTO series VALUES ('r', 1990, 'none of ours', 0, 'long'), ('r', 'then', 1, 2, 3),"
        " ('r', 1980, 'succeeded', 0, 9e999)"
    ),
    "a view": "CREATE VIEW ends AS SELECT 1 AS seq",
    "a table in place of an index": "CREATE TABLE ends_job (x)",
}


@pytest.mark.parametrize("script", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_program_is_an_error_that_names_it(tmp_path, capfd, script):
    """`path` may name any SQLite file of the host, by mistake."""
    path = tmp_path / "h.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    assert [] != use(path)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\0", os.urandom(8192), b"\0" * 4096])
def test_a_file_that_is_no_database_stays_as_it_is(tmp_path, content):
    """It is somebody's, and nothing of it is lost."""
    path = tmp_path / "notes"
    path.write_bytes(content)
    assert [] != use(path)
    assert content == path.read_bytes()
