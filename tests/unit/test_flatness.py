"""What grows without end is told from what comes and goes."""

import random

import pytest

from flatness import Bound, Sample, trend

TIGHT = Bound(slack=2, per_hour=4)


def over(seconds: int, value) -> list[Sample]:
    """A sample for each second. value: of a second."""
    return [(float(at), float(value(at))) for at in range(seconds)]


def test_what_comes_and_goes_is_flat():
    """A leak detector that cries at busy moments is switched off soon."""
    chance = random.Random(1)
    assert trend(over(3600, lambda at: 50 + chance.choice([0, 0, 0, 300])), TIGHT).is_flat


def test_a_slow_leak_under_noise_is_seen_with_its_slope():
    """One descriptor in six minutes, among jobs that open and close hundreds."""
    chance = random.Random(2)
    found = trend(over(3600, lambda at: at // 360 + chance.choice([0, 0, 100])), TIGHT)
    assert not found.is_flat
    assert 10 == pytest.approx(found.per_hour, rel=0.15)
    assert 5 == pytest.approx(found.growth, rel=0.15)
    assert 4 == pytest.approx(found.allowed, rel=0.01)


def test_the_warm_up_does_not_count():
    """Caches and pools fill in the first half, and stay."""
    assert trend(over(3600, lambda at: min(at, 1700)), TIGHT).is_flat


def test_one_odd_piece_moves_no_slope():
    """A reload that doubles all processes for a minute is no leak."""
    doubled = trend(over(3600, lambda at: 200 if 3420 <= at else 100), TIGHT)
    assert doubled.is_flat
    assert (100, 200) == (doubled.least, doubled.most)


def test_what_shrinks_is_flat():
    """Only growth is a leak."""
    found = trend(over(3600, lambda at: 4000 - at), TIGHT)
    assert found.is_flat
    assert -3600 == pytest.approx(found.per_hour, rel=0.05)


@pytest.mark.parametrize("samples", [[], [(1.0, 1.0)], [(1.0, 1.0), (1.0, 2.0)]])
def test_too_few_samples_are_an_error_and_no_verdict(samples):
    """A run that measured nothing has not shown that anything is flat."""
    with pytest.raises(ValueError, match="samples"):
        trend(samples, TIGHT)
