"""When the watcher looks how long its kicker has been silent."""

import pytest

from sqsjkr_gevent.process.watcher import next_look


@pytest.mark.parametrize("silence", [1.5, 2.0, 2.2, 3.9, 10.0])
def test_a_look_falls_on_the_moment_at_which_the_silence_is_too_long(silence):
    """With a look every two seconds, jobs of a lease of 10 s outlived it: 4 s instead of 2.2."""
    since = 0.0
    while since < silence:
        since += next_look(silence, since)
    assert silence == pytest.approx(since)


def test_a_silence_that_goes_on_is_looked_at_again_and_again():
    """But not in a tight loop."""
    assert [1.5, 2.0] == [next_look(silence, 20.0) for silence in (1.5, 10.0)]
