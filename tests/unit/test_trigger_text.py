"""The text of a trigger is sqsjkr's, to the letter."""

import time
from collections.abc import Iterator

import pytest

from sqsjkr_gevent.job import Job
from sqsjkr_gevent.worker.trigger import trigger_text


@pytest.fixture(autouse=True)
def japan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local zone of these tests, put back after them."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def job(**fields: object) -> Job:
    """A job over its life time."""
    base = {"id": "m-1", "command": "echo hi", "event_id": "ev", "sent_at": 1795486591.369}
    return Job(**{**base, "life_time": 60.0, **fields})  # type: ignore[arg-type]


SENT = "sent_timestamp:2026-11-24 11:16:31"


@pytest.mark.parametrize(
    ("fields", "command", "life_time", "sent"),
    [
        ({}, "echo hi", "1m0s", f"{SENT}.369 +0900 JST"),
        ({"life_time": 0.001, "sent_at": 1795486591.0}, "echo hi", "1ms", f"{SENT} +0900 JST"),
        ({"life_time": -3600.0}, "echo hi", "-1h0m0s", f"{SENT}.369 +0900 JST"),
        ({"command": 'echo "a, b"\ntrue'}, 'echo "a, b"\ntrue', "1m0s", f"{SENT}.369 +0900 JST"),
        ({"life_time": None, "sent_at": 1795486591.85}, "echo hi", "0s", f"{SENT}.85 +0900 JST"),
    ],
)
def test_the_text_of_a_trigger_is_that_of_sqsjkr(
    fields: dict[str, object], command: str, life_time: str, sent: str
) -> None:
    """A trigger written for sqsjkr reads its job in the same words, with no newline at the end."""
    expected = f"job_id:m-1, event_id:ev, command:{command}, life_time:{life_time}, {sent}"
    assert expected == trigger_text(job(**fields))
