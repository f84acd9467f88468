"""Times are printed as Go's time.Time.String prints them."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta, timezone

import pytest

from sqsjkr_gevent.worker.gotime import format_local

#: 2026-11-24 02:16:31.369 UTC
MOMENT = 1795486591369


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets TZ for the test, and puts the zone of the process back after it."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "epoch_ms", "text"),
    [
        ("JST-9", MOMENT, "2026-11-24 11:16:31.369 +0900 JST"),
        ("<-03>3", MOMENT + 231, "2026-11-23 23:16:31.6 -0300 -03"),
        ("UTC0", MOMENT, "2026-11-24 02:16:31.369 +0000 UTC"),
        ("IST-5:30", MOMENT - 369, "2026-11-24 07:46:31 +0530 IST"),
        ("NST3:30", MOMENT - 369 + 50, "2026-11-23 22:46:31.05 -0330 NST"),
        ("CET-1CEST,M3.5.0,M10.5.0", 1782871200000, "2026-07-01 04:00:00 +0200 CEST"),
        ("UTC0", 0, "1970-01-01 00:00:00 +0000 UTC"),
    ],
)
def test_a_time_is_printed_in_the_local_zone(
    local_zone: Callable[[str], None], zone: str, epoch_ms: int, text: str
) -> None:
    """Offset and abbreviation are the local ones; the fraction has no trailing zeros."""
    local_zone(zone)
    assert text == format_local(epoch_ms)


def test_a_time_is_printed_in_the_zone_that_is_given() -> None:
    """With a zone the result does not depend on the host."""
    zone = timezone(timedelta(hours=9), "JST")
    assert "2026-11-24 11:16:31.369 +0900 JST" == format_local(MOMENT, zone)
    assert "2026-11-24 02:16:31.369 +0000 UTC" == format_local(MOMENT, timezone.utc)
