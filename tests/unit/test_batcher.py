"""Batches: how they are gathered, what becomes of each entry, and how they end."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.aws import Batcher
from sqsjkr_gevent.aws.batcher import Again
from sqsjkr_gevent.backoff import Backoff
from sqsjkr_gevent.errors import QueueError, ReceiptHandleInvalid, StoreError
from waiting import eventually

Answers = Sequence[Exception | None]

#: Seconds of a linger that no test waits for.
LONG = 3600.0

CLOSED = QueueError("closed")


class Calls:
    """What was sent, call by call. answer: makes the answers of a call; it may raise or wait."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.answer: Callable[[Sequence[int]], Answers] = lambda entries: [None] * len(entries)

    def send(self, entries: Sequence[int]) -> Answers:
        """One call."""
        self.batches.append(list(entries))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return self.answer(entries)
        finally:
            self.under_way -= 1


@pytest.fixture
def calls() -> Calls:
    """Nothing sent yet; all calls succeed."""
    return Calls()


@pytest.fixture
def batcher(calls: Calls) -> Iterator[Callable[..., Batcher[int]]]:
    """Make batchers over the calls; their back-off is short."""
    made = []

    def make(max_entries: int = 10, linger: float = 0.001, parallel: int = 4) -> Batcher[int]:
        one = Batcher(calls.send, max_entries=max_entries, linger=linger, parallel=parallel)
        one._backoff = Backoff(0.001, 0.01)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close(0.0, CLOSED)


def hold_the_hub(seconds: float) -> None:
    """Let all timers of the next `seconds` be due at once, as on a host that was busy."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def turn_the_hub(times: int = 20) -> None:
    """Let everything happen that can happen now."""
    for _ in range(times):
        gevent.sleep(0)


def test_a_full_batch_is_sent_at_once(batcher, calls):
    """Without waiting for its linger; a part of one waits for company."""
    one = batcher(linger=LONG)
    for entry in range(9):
        one.submit(entry)
    turn_the_hub()
    assert [] == calls.batches
    one.submit(9)
    eventually(lambda: [list(range(10))] == calls.batches)


def test_a_part_of_a_batch_is_sent_after_its_linger(batcher, calls):
    """One call for what came meanwhile, in the order in which it came."""
    one = batcher()
    results = [one.submit(entry) for entry in range(3)]
    assert [None] * 3 == [result.get(timeout=30) for result in results]
    assert [[0, 1, 2]] == calls.batches


def test_more_than_a_batch_is_split(batcher, calls):
    """25 entries are three calls, none over the most that one may hold."""
    one = batcher()
    for result in [one.submit(entry) for entry in range(25)]:
        result.get(timeout=30)
    assert [list(range(10)), list(range(10, 20)), list(range(20, 25))] == calls.batches


def test_each_entry_gets_its_own_answer(batcher, calls):
    """One that fails for good takes no other along."""
    calls.answer = lambda entries: [
        ReceiptHandleInvalid("bad") if e == 1 else None for e in entries
    ]
    one = batcher()
    good, bad, other = [one.submit(entry) for entry in range(3)]
    assert (None, None) == (good.get(timeout=30), other.get(timeout=30))
    with pytest.raises(ReceiptHandleInvalid, match="bad"):
        bad.get(timeout=30)
    assert [[0, 1, 2]] == calls.batches


def test_only_entries_answered_with_again_are_repeated(batcher, calls):
    """Until they succeed; the others know their fate before."""

    def answer(entries: Sequence[int]) -> Answers:
        return [Again("busy") if e % 2 and len(calls.batches) < 3 else None for e in entries]

    calls.answer = answer
    one = batcher()
    results = [one.submit(entry) for entry in range(4)]
    assert [None] * 4 == [result.get(timeout=30) for result in results]
    assert [[0, 1, 2, 3], [1, 3], [1, 3]] == calls.batches


def test_a_call_that_fails_is_repeated_whole_before_what_came_later(batcher, calls):
    """In its order, so that a message does not become invisible before it was visible."""

    def answer(entries: Sequence[int]) -> Answers:
        if len(calls.batches) < 3:
            raise QueueError("down")
        return [None] * len(entries)

    calls.answer = answer
    one = batcher(max_entries=3)
    results = [one.submit(entry) for entry in range(5)]
    assert [None] * 5 == [result.get(timeout=30) for result in results]
    first_sent = list(dict.fromkeys(entry for batch in calls.batches[-2:] for entry in batch))
    assert [0, 1, 2, 3, 4] == first_sent


def test_each_repetition_waits_for_its_back_off(batcher, calls, monkeypatch):
    """Also the first: nothing is sent while the pause after a failure lasts."""
    pauses: list[float] = []
    resume = Event()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        resume.wait()

    def answer(entries: Sequence[int]) -> Answers:
        raise QueueError("down")

    calls.answer = answer
    one = batcher(linger=0.0)
    monkeypatch.setattr("sqsjkr_gevent.aws.batcher.gevent.sleep", pause)
    one.submit(0)
    hub_turns = Event()
    for _ in range(20):
        hub_turns.wait(0.001)
    assert (1, 1) == (len(calls.batches), len(pauses))
    resume.set()


def test_an_unforeseen_fault_is_the_answer_of_its_batch_and_of_no_other(batcher, calls):
    """The batcher lives on."""

    def answer(entries: Sequence[int]) -> Answers:
        if len(calls.batches) == 1:
            raise ZeroDivisionError
        return [None] * len(entries)

    calls.answer = answer
    one = batcher()
    failed = one.submit(0)
    with pytest.raises(ZeroDivisionError):
        failed.get(timeout=30)
    assert None is one.submit(1).get(timeout=30)


def test_no_more_calls_than_allowed_are_under_way(batcher, calls):
    """Three of ten batches at a time, and in the end all of them."""
    gate = Event()

    def answer(entries: Sequence[int]) -> Answers:
        gate.wait()
        return [None] * len(entries)

    calls.answer = answer
    one = batcher(max_entries=1, linger=0.0, parallel=3)
    results = [one.submit(entry) for entry in range(10)]
    eventually(lambda: calls.under_way == 3)
    turn_the_hub()
    assert 3 == len(calls.batches)
    gate.set()
    for result in results:
        result.get(timeout=30)
    assert 3 == calls.most_under_way


def test_close_sends_what_waits(batcher, calls):
    """Without its linger; afterwards every entry is answered with the error."""
    one = batcher(linger=LONG)
    result = one.submit(0)
    one.close(30.0, CLOSED)
    assert (None, [[0]]) == (result.get(timeout=0), calls.batches)
    late = one.submit(1)
    with pytest.raises(QueueError, match="closed"):
        late.get(timeout=0)
    assert [[0]] == calls.batches


@pytest.mark.parametrize(
    ("max_entries", "parallel"),
    [
        (10, 4),
        (1, 1),
    ],
)
def test_close_answers_what_it_could_not_send_in_time(batcher, calls, max_entries, parallel):
    """Calls that hang, batches that wait for one, and entries that wait for a batch."""
    never = Event()
    calls.answer = lambda entries: never.wait()
    one = batcher(max_entries=max_entries, linger=0.0, parallel=parallel)
    results = [one.submit(entry) for entry in range(5)]
    eventually(lambda: calls.under_way)
    turn_the_hub()
    one.close(0.01, CLOSED)
    assert [True] * 5 == [result.ready() for result in results]
    assert [CLOSED] * 5 == [result.exception for result in results]


def test_others_have_their_turn_while_close_answers_thousands(batcher, calls):
    """A stop with as many messages unsettled must not hold the hub."""
    never = Event()
    calls.answer = lambda entries: never.wait()
    one = batcher(linger=0.0)
    results = [one.submit(entry) for entry in range(1000)]
    eventually(lambda: calls.under_way)
    answered = set()

    def look() -> None:
        while True:
            answered.add(sum(result.ready() for result in results))
            gevent.sleep(0)

    other = gevent.spawn(look)
    one.close(0.01, CLOSED)
    other.kill()
    assert all(result.ready() for result in results)
    assert len(answered - {0, 1000}) >= 5


def test_close_gives_up_what_is_repeated_for_ever(batcher, calls):
    """A service that stays down does not hold a stop up."""

    def answer(entries: Sequence[int]) -> Answers:
        raise QueueError("down")

    calls.answer = answer
    one = batcher()
    result = one.submit(0)
    eventually(lambda: len(calls.batches) > 1)
    one.close(0.01, CLOSED)
    with pytest.raises(QueueError, match="closed"):
        result.get(timeout=0)
    sent = len(calls.batches)
    turn_the_hub()
    assert sent == len(calls.batches)


def test_close_answers_a_batch_whose_call_had_not_begun(batcher, calls):
    """The linger ends just after the time to close: the call is killed before its first step."""
    one = batcher(linger=0.02)
    closing = gevent.spawn(one.close, 0.01, CLOSED)
    turn_the_hub(1)
    results = [one.submit(0)]
    turn_the_hub(5)
    results.append(one.submit(1))
    turn_the_hub(5)
    hold_the_hub(0.05)
    closing.join()
    assert [True, True] == [result.ready() for result in results]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_and_nothing_is_sent_again_after_its_answer(batcher, calls, seed):
    """500 entries from 50 greenlets over calls and entries that fail at random."""
    print("seed", seed)  # noqa: T201  (pytest shows it where the test fails)
    chance = random.Random(seed)
    done: Counter[int] = Counter()
    refused: Counter[int] = Counter()

    def fate(entry: int) -> Exception | None:
        what = chance.random()
        if what < 0.1:
            return Again("busy")
        if what < 0.2:
            refused[entry] += 1
            return ReceiptHandleInvalid("bad")
        done[entry] += 1
        return None

    def answer(entries: Sequence[int]) -> Answers:
        gevent.sleep(chance.random() / 1000)
        if chance.random() < 0.2:
            raise StoreError("down")
        return [fate(entry) for entry in entries]

    calls.answer = answer
    one = batcher()
    ended: Counter[str] = Counter()

    def submit(number: int) -> None:
        for entry in range(number * 10, number * 10 + 10):
            result = one.submit(entry)
            gevent.sleep(chance.random() / 1000)
            try:
                result.get(timeout=60)
                ended["done"] += 1
            except ReceiptHandleInvalid:
                ended["refused"] += 1

    gevent.joinall([gevent.spawn(submit, number) for number in range(50)], raise_error=True)
    assert dict.fromkeys(range(500), 1) == dict(done + refused)
    assert {"done": len(done), "refused": len(refused)} == dict(ended)
    assert 10 >= max(map(len, calls.batches))


def test_a_cancelled_entry_that_is_queued_is_never_sent(batcher, calls):
    """Its result is the error given."""
    never = Event()
    calls.answer = lambda entries: never.wait()
    one = batcher(max_entries=1, linger=0.0, parallel=1)
    one.submit(0)
    eventually(lambda: calls.under_way)
    queued, after = one.submit(1), one.submit(2)
    one.cancel(queued, CLOSED)
    assert (CLOSED, False) == (queued.exception, after.ready())
    one.close(0.01, CLOSED)
    assert [[0]] == calls.batches


def test_a_cancelled_entry_under_way_is_what_its_call_makes_of_it(batcher, calls):
    """Written is written; but what failed is not repeated."""
    for answers, expected in (([None], None), ([Again("busy")], CLOSED)):
        calls.batches.clear()
        proceed = Event()

        def answer(entries: Sequence[int], answers: Answers = answers, proceed=proceed) -> Answers:
            proceed.wait()
            return answers

        calls.answer = answer
        one = batcher(max_entries=1, linger=0.0)
        result = one.submit(0)
        eventually(lambda: calls.under_way)
        one.cancel(result, CLOSED)
        assert not result.ready()
        proceed.set()
        result.wait(10)
        assert (expected, [[0]]) == (result.exception, calls.batches)
        one.close(0.01, CLOSED)
