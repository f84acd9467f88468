"""The checker of histories: what it refuses, and what it lets pass."""

import math

import pytest

from checker import BEGUN, ENDED, LOCKED, SENT, SETTLED, UNLOCKED, Event, check


def history(text: str) -> list[Event]:
    """Events in short: "time kind job run key=value; ..."; a kicker is the letter of the run."""
    events = []
    for line in filter(None, text.split("; ")):
        at, kind, job, *rest = line.split()
        run = rest.pop(0) if rest and "=" not in rest[0] else ""
        keys = dict(one.split("=") for one in rest)
        events.append(
            Event(
                kind=kind,
                at=float(at),
                job=job,
                run=run,
                kicker=run[:1],
                lock_id=keys.get("lock"),
                token=int(keys["token"]) if "token" in keys else None,
                group=keys.get("group"),
            )
        )
    return events


def faults(text: str, limit: int | None = None) -> list[tuple[str, str, float]]:
    """Kind, subject and seconds of what it finds."""
    return [(one.kind, one.what, one.seconds) for one in check(history(text), limit=limit)]


ONE_JOB = (
    "0 sent j; 1 locked j a1 lock=L token=5; 1 begun j a1 lock=L token=5; "
    "2 ended j a1; 2 unlocked j a1 lock=L; 3 settled j a1"
)

ACCEPTED = {
    "an empty one": "",
    "a job from its send to its settle": ONE_JOB,
    "two jobs of one lock, the second at the very end of the first": ONE_JOB
    + (
        "; 0 sent k; 2 locked k b1 lock=L token=6; 2 begun k b1 lock=L token=6; "
        "4 ended k b1; 4 settled k b1"
    ),
    "a job that runs again after its kicker was killed": (
        "0 sent j; 1 begun j a1; 2 ended j a1; 60 begun j b1; 61 ended j b1; 61 settled j b1"
    ),
    "a job that was done, but not marked when its kicker was killed": (
        "0 sent j; 1 begun j a1; 9 ended j a1; 60 begun j b1; 61 ended j b1; "
        "62 settled j b1; 63 settled j c1"
    ),
    "at most once: a job that is settled before its start": (
        "0 sent j; 1 settled j a1; 2 begun j a1; 3 ended j a1"
    ),
    "a job that is settled without a run: over its life_time": "0 sent j; 9 settled j a1",
    "a lock that a lapsed holder gives back late": (
        "1 locked j a1 lock=L token=1; 1 begun j a1 lock=L token=1; "
        "30 ended j a1; 60 locked k b1 lock=L token=2; "
        "60 begun k b1 lock=L token=2; 70 unlocked j a1 lock=L; 90 ended k b1"
    ),
    "a group in order, beside another group": (
        "0 sent j group=g; 0 sent k group=g; 0 sent m group=h; 1 begun m b1; "
        "1 begun j a1; 2 ended j a1; 2 settled j a1; 3 begun k a2; 4 ended k a2; "
        "4 settled k a2; 4 ended m b1; 4 settled m b1"
    ),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_a_history_that_breaks_nothing_is_accepted(text):
    """A checker that cries wolf is soon ignored."""
    assert [] == faults(text, limit=1)


REFUSED = {
    "lost: sent, run, and never settled": (
        "0 sent j; 1 begun j a1; 2 ended j a1",
        [("lost", "j", 0.0)],
    ),
    "doubled: begun by another run after its settle": (
        ONE_JOB + "; 9 begun j b1; 9 ended j b1",
        [("doubled", "j", 0.0)],
    ),
    "doubled: begun again, settled by a run without a name": (
        "0 settled j; 9 begun j b1; 9 ended j b1",
        [("doubled", "j", 0.0)],
    ),
    "overlap: two runs of one job": (
        "1 begun j a1; 4 begun j b1; 6 ended j a1; 9 ended j b1",
        [("overlap", "job j", 2.0)],
    ),
    "overlap: two jobs of one lock, one within the other": (
        "1 begun j a1 lock=L; 4 begun k b1 lock=L; 5 ended k b1; 9 ended j a1",
        [("overlap", "lock L", 1.0)],
    ),
    "overlap: with a run that was never seen to end": (
        "1 begun j a1; 4 begun j b1",
        [("overlap", "job j", math.inf)],
    ),
    "overlap: of three runs, each pair": (
        ("1 begun j a1; 2 begun j b1; 3 begun j c1; 4 ended j a1; 4 ended j b1; 4 ended j c1"),
        [("overlap", "job j", 2.0), ("overlap", "job j", 1.0), ("overlap", "job j", 1.0)],
    ),
    "early: the lock given back while the command runs": (
        "1 begun j a1 lock=L; 2 unlocked j a1 lock=L; 5 ended j a1",
        [("early", "j", 3.0)],
    ),
    "order: begun before the job sent before it": (
        (
            "0 sent j group=g; 0 sent k group=g; 1 begun k a1; 2 ended k a1; "
            "2 settled k a1; 3 begun j a2; 4 ended j a2; 4 settled j a2"
        ),
        [("order", "k", 0.0)],
    ),
    "order: begun when the one before it has ended but is not settled": (
        (
            "0 sent j group=g; 0 sent k group=g; 1 begun j a1; 2 ended j a1; "
            "3 begun k b1; 4 ended k b1; 4 settled j a1; 4 settled k b1"
        ),
        [("order", "k", 0.0)],
    ),
    "token: the next holder has a lower one": (
        "1 locked j a1 lock=L token=7; 9 locked k b1 lock=L token=6",
        [("token", "L", 0.0)],
    ),
    "token: the next holder has the same one": (
        "1 locked j a1 lock=L token=7; 9 locked k b1 lock=L token=7",
        [("token", "L", 0.0)],
    ),
    "token: a command starts with one that is out of date": (
        (
            "1 locked j a1 lock=L token=1; 2 locked k b1 lock=L token=2; "
            "3 begun j a1 lock=L token=1; 4 ended j a1"
        ),
        [("token", "L", 0.0)],
    ),
    "limit: more jobs than slots": (
        "1 begun j a1; 2 begun k a2; 3 ended j a1; 4 ended k a2",
        [("limit", "a", 0.0)],
    ),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_history_that_breaks_a_promise_is_refused(text, expected):
    """Each promise, broken alone; nothing else is said of it."""
    assert expected == faults(text, limit=1)


def test_the_order_of_the_events_is_that_of_their_times():
    """Histories are put together from several sources."""
    assert [] == check(reversed(history("1 begun j a1; 2 ended j a1; 3 begun j b1")))


def test_every_kind_of_event_is_used():
    """A kind that nobody looks at would be dead weight."""
    kinds = {event.kind for text in ACCEPTED.values() for event in history(text)}
    assert {SENT, BEGUN, ENDED, SETTLED, LOCKED, UNLOCKED} == kinds
