"""The loop of simulations: who gets a turn, when, and in which order."""

from random import Random

import pytest

from simulation.loop import Actor, VirtualLoop
from simulation.shrink import fewest


@pytest.fixture
def loop() -> VirtualLoop:
    """A loop with some seed."""
    return VirtualLoop(Random(1))


def test_time_jumps_to_the_next_timer(loop):
    """Hours of idle fleet cost nothing."""
    seen = []
    for seconds in (7200.0, 1.0):
        loop.at(seconds, lambda seconds=seconds: seen.append((seconds, loop.time)))
    loop.run()
    assert [1.0, 7200.0] == [seconds for seconds, _ in seen]
    assert all(seconds <= at < seconds + 0.01 for seconds, at in seen)


def test_callbacks_of_one_actor_keep_their_order(loop):
    """As gevent's do."""
    seen = []
    for number in range(50):
        loop.run_callback(seen.append, number)
    loop.run()
    assert list(range(50)) == seen


def test_actors_interleave_as_the_seed_says():
    """The same seed gives the same order, another one another."""

    def order(seed: int) -> str:
        loop, seen = VirtualLoop(Random(seed)), []
        for name in "ab":
            actor = Actor(name)
            for _ in range(20):
                loop.post(actor, seen.append, name)
        loop.run()
        return "".join(seen)

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert 20 == order(1).count("a")


def test_a_stopped_actor_gets_its_turns_once_it_is_resumed(loop):
    """A timer that ran out meanwhile runs out then: that is a SIGSTOP."""
    actor, seen = Actor("a"), []
    with loop.turn_of(actor):
        loop.timer(1.0).start(lambda: seen.append(loop.time))
    loop.stop_actor(actor)
    loop.post(actor, lambda: seen.append(loop.time))
    loop.at(10.0, loop.resume, actor)
    loop.run()
    assert 2 == len(seen)
    assert all(10.0 <= at < 10.1 for at in seen)


def test_a_dead_actor_gets_no_turn(loop):
    """Neither for what waited, nor for what comes later."""
    actor, seen = Actor("a"), []
    with loop.turn_of(actor):
        loop.timer(1.0).start(seen.append, "timer")
    loop.post(actor, seen.append, "ready")
    loop.kill(actor)
    loop.post(actor, seen.append, "later")
    loop.resume(actor)
    loop.run()
    assert [] == seen


def test_a_fuse_burns_by_the_turns_of_its_actor(loop):
    """So a fault can come between any two switches."""
    actor, seen = Actor("a"), []
    for number in range(5):
        loop.post(actor, seen.append, number)
    actor.fuse, actor.on_fuse = 3, lambda: loop.kill(actor)
    loop.run()
    assert [0, 1, 2] == seen


def test_a_failure_is_shrunk_to_what_it_needs():
    """Whatever else there was, and in whatever order."""
    assert (3, 40) == fewest(tuple(range(50)), lambda some: {3, 40} <= {*some})
