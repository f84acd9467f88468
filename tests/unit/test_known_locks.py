"""What a kicker guesses of locks: right guesses save a call, wrong ones cost a write unit."""

import pytest

from sqsjkr_gevent.stores.dynamodb import known
from sqsjkr_gevent.stores.dynamodb.known import NO_ROW, KnownLocks


@pytest.fixture
def locks() -> KnownLocks:
    """Nothing known."""
    return KnownLocks()


def hold(locks: KnownLocks, lock_id: str, token: int, *, is_new: bool = False) -> None:
    """Take the lock and give it back."""
    locks.taken(lock_id, "me", token, is_new=is_new)
    locks.freed(lock_id, "me")


def test_a_lock_that_was_never_seen_is_likely_to_have_no_row(locks):
    """Such as one for each job."""
    assert NO_ROW == locks.guess("L")
    hold(locks, "L", 1000, is_new=True)
    assert NO_ROW == locks.guess("M")


def test_a_lock_that_this_kicker_gave_back_has_its_token(locks):
    """Its row is as it was left."""
    hold(locks, "L", 1000, is_new=True)
    assert 1000 == locks.guess("L")
    hold(locks, "L", 1001)
    assert 1001 == locks.guess("L")


def test_a_lock_that_is_held_is_asked_for(locks):
    """By a run of this kicker, which may have lost it."""
    locks.taken("L", "me", 1000, is_new=True)
    assert None is locks.guess("L")
    locks.freed("L", "somebody else")
    assert None is locks.guess("L")


def test_a_lock_that_others_take_as_well_is_asked_for(locks):
    """Its token grew between two of our times: a guess would mostly be wrong."""
    hold(locks, "L", 1000, is_new=True)
    hold(locks, "L", 1003)
    assert None is locks.guess("L")
    hold(locks, "L", 1004)
    assert 1004 == locks.guess("L")


def test_a_lock_that_was_found_taken_is_asked_for_until_it_was_ours_twice(locks):
    """While it is contended each guess would cost a write for nothing."""
    hold(locks, "L", 1000, is_new=True)
    locks.unsure("L")
    assert None is locks.guess("L")
    hold(locks, "L", 1005)
    assert None is locks.guess("L")
    hold(locks, "L", 1006)
    assert 1006 == locks.guess("L")


def test_once_an_unknown_lock_had_a_row_others_are_asked_for_until_one_had_none(locks):
    """After a restart, or with more locks than are remembered, all have rows."""
    hold(locks, "old", 1000)
    assert None is locks.guess("M")
    hold(locks, "new", 2000, is_new=True)
    assert NO_ROW == locks.guess("M")
    locks.unsure("taken by another")
    assert None is locks.guess("M")


def test_of_many_locks_those_least_recently_taken_are_forgotten(locks, monkeypatch):
    """Memory is bounded, whatever the lock_ids."""
    monkeypatch.setattr(known, "MAX_KNOWN", 3)
    for token, lock_id in enumerate("abcad", 1000):
        hold(locks, lock_id, token, is_new=True)
    assert [1003, NO_ROW, 1002, 1004] == [locks.guess(lock_id) for lock_id in "abcd"]
