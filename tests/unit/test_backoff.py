"""Waits between tries."""

import pytest

from sqsjkr_gevent.backoff import Backoff, jittered


def test_waits_double_up_to_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first wait on."""
    monkeypatch.setattr("sqsjkr_gevent.backoff.jittered", lambda seconds: seconds)
    backoff = Backoff(0.5, 5.0)
    assert [0.5, 1.0, 2.0, 4.0, 5.0, 5.0] == [backoff.failed() for _ in range(6)]


def test_a_success_starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next failure is the first again."""
    monkeypatch.setattr("sqsjkr_gevent.backoff.jittered", lambda seconds: seconds)
    backoff = Backoff(0.5, 5.0)
    backoff.failed()
    backoff.failed()
    backoff.succeeded()
    assert (0, 0.5, 1) == (backoff.failures, backoff.failed(), backoff.failures)


def test_days_of_failures_do_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A float power of some thousands would."""
    monkeypatch.setattr("sqsjkr_gevent.backoff.jittered", lambda seconds: seconds)
    backoff = Backoff(0.5, 30.0)
    assert {30.0} == {backoff.failed() for _ in range(10_000)} - {0.5, 1.0, 2.0, 4.0, 8.0, 16.0}


def test_a_wait_is_between_half_of_it_and_all_of_it() -> None:
    """So that hosts that failed together do not come back together."""
    waits = [jittered(8.0) for _ in range(1000)]
    assert all(4.0 <= wait <= 8.0 for wait in waits)
    assert 1 < len(set(waits))


def test_the_waits_of_a_back_off_are_jittered() -> None:
    """Each of them."""
    assert 1 < len({Backoff(8.0, 8.0).failed() for _ in range(100)})
    assert all(4.0 <= Backoff(8.0, 8.0).failed() <= 8.0 for _ in range(100))
