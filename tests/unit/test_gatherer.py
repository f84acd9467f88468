"""What is gathered: when it goes out, what becomes of each entry, and how it ends."""

from collections.abc import Callable, Iterator, Sequence

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.aws.gatherer import Gatherer
from waiting import eventually

#: Seconds of a patience that no test waits for.
LONG = 3600.0


class Calls:
    """What was sent, call by call. Each call waits for `go`; answer: makes its outcomes."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.go = Event()
        self.go.set()
        self.answer: Callable[[Sequence[object]], Sequence[bool]] = lambda batch: (
            [True] * len(batch)
        )

    def send(self, entries: Sequence[object]) -> Sequence[bool]:
        """One call."""
        self.batches.append(list(entries))
        self.go.wait()
        return self.answer(entries)

    @property
    def sizes(self) -> list[int]:
        """How many entries each call had."""
        return [len(batch) for batch in self.batches]


@pytest.fixture
def calls() -> Calls:
    """Nothing sent yet; all calls succeed at once."""
    return Calls()


@pytest.fixture
def gatherer(calls: Calls) -> Iterator[Callable[..., Gatherer[object]]]:
    """Make gatherers of five entries and two calls over `calls`."""
    made = []

    def make(patience: float = LONG) -> Gatherer[object]:
        made.append(Gatherer(calls.send, max_entries=5, at_once=2, patience=patience))
        return made[-1]

    yield make
    for one in made:
        one.close(0.0)


def ask(gatherer: Gatherer[object], *entries: object) -> "list[gevent.Greenlet[..., bool]]":
    """Greenlets that each have one entry sent, all of them waiting for its fate."""
    asking = [gevent.spawn(gatherer.run, entry) for entry in entries]
    gevent.sleep(0)
    gevent.sleep(0)
    return asking


def fates(asking: "list[gevent.Greenlet[..., bool]]") -> list[bool]:
    """What run() returned to each."""
    gevent.joinall(asking, timeout=30, raise_error=True)
    return [one.get(block=False) for one in asking]


def test_an_entry_goes_out_at_once_while_there_is_little_to_do(calls, gatherer):
    """No idle kicker may wait for company."""
    one = gatherer()
    assert [True, True] == [one.run("a"), one.run("b")]
    assert [["a"], ["b"]] == calls.batches


def test_entries_of_the_same_moment_share_a_call(calls, gatherer):
    """They come in the same turn of the hub, as from greenlets that one answer woke."""
    assert [True] * 4 == fates(ask(gatherer(), *"abcd"))
    assert [["a", "b", "c", "d"]] == calls.batches


def test_while_two_calls_are_under_way_entries_wait_until_one_comes_back(calls, gatherer):
    """And then go out together, in order of arrival."""
    one = gatherer()
    calls.go.clear()
    first, second = ask(one, 1), ask(one, 2)
    rest = [greenlet for number in (3, 4, 5) for greenlet in ask(one, number)]
    assert [[1], [2]] == calls.batches
    calls.go.set()
    assert [True] * 5 == fates(first + second + rest)
    assert [[1], [2], [3, 4, 5]] == calls.batches


def test_a_full_batch_waits_for_no_call(calls, gatherer):
    """However many calls are under way: nothing would be saved."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2) + ask(one, *range(3, 8)) + ask(one, *range(8, 14))
    assert [1, 1, 5, 5] == calls.sizes
    calls.go.set()
    assert [True] * 13 == fates(asking)
    assert [1, 1, 5, 5, 1] == calls.sizes


def test_many_entries_of_one_moment_go_out_in_full_batches(calls, gatherer):
    """As when all leases are renewed at once."""
    assert [True] * 52 == fates(ask(gatherer(), *range(52)))
    assert [5] * 10 == calls.sizes[:10]
    assert [2] == calls.sizes[10:]


def test_a_call_that_hangs_keeps_nobody_waiting_for_long(calls, gatherer):
    """A lease may lapse meanwhile: after its patience an entry goes out beside the others."""
    one = gatherer(patience=0.05)
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2) + ask(one, 3) + ask(one, 4)
    eventually(lambda: [[1], [2], [3, 4]] == calls.batches)
    asking += ask(one, 5)
    eventually(lambda: [[1], [2], [3, 4], [5]] == calls.batches)
    calls.go.set()
    assert [True] * 5 == fates(asking)


def test_equal_entries_never_share_a_call(calls, gatherer):
    """DynamoDB takes an item once in a batch; the second waits for the next."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, "a", "b", "a", "c")
    assert [["a", "b", "c"]] == calls.batches
    calls.go.set()
    assert [True] * 4 == fates(asking)
    assert [["a", "b", "c"], ["a"]] == calls.batches


def test_an_equal_entry_does_not_wait_for_a_call_that_hangs(calls, gatherer):
    """Only for its patience."""
    one = gatherer(patience=0.05)
    calls.go.clear()
    asking = ask(one, "a", "a")
    eventually(lambda: [["a"], ["a"]] == calls.batches)
    calls.go.set()
    assert [True] * 2 == fates(asking)


def test_each_entry_has_a_fate_of_its_own(calls, gatherer):
    """One that fails alone says nothing of the others."""
    calls.answer = lambda batch: [entry != "b" for entry in batch]
    assert [True, False, True] == fates(ask(gatherer(), *"abc"))


@pytest.mark.parametrize(
    "answer", [lambda batch: 1 / 0, lambda batch: [True]], ids=["raises", "answers too little"]
)
def test_whatever_a_call_does_everybody_in_it_is_told_no(calls, gatherer, answer):
    """And goes on in another way; later calls are not affected."""
    one = gatherer()
    calls.answer = answer
    asking = [gevent.spawn(one.run, entry) for entry in "ab"]
    assert [False] * 2 == fates(asking)
    calls.answer = lambda batch: [True] * len(batch)
    assert True is one.run("c")


def test_what_a_killed_greenlet_waited_for_is_not_sent(calls, gatherer):
    """A lock that is taken for nobody would be held until its lease has lapsed."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2)
    (killed,) = ask(one, 3)
    asking += ask(one, 4)
    killed.kill()
    calls.go.set()
    assert [True] * 3 == fates(asking)
    assert [[1], [2], [4]] == calls.batches


def test_the_others_of_a_batch_get_their_answer_if_one_of_them_is_killed(calls, gatherer):
    """The call is nobody's own."""
    one = gatherer()
    calls.go.clear()
    killed, other = ask(one, 1, 2)
    killed.kill()
    calls.go.set()
    assert [True] == fates([other])
    assert [[1, 2]] == calls.batches


def test_an_entry_that_is_late_is_not_sent_any_more(calls, gatherer):
    """A mark that is written after its time could keep a job from running."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2)
    assert False is one.run(3, within=0.01)
    calls.go.set()
    assert [True] * 2 == fates(asking)
    assert [[1], [2]] == calls.batches


def test_a_call_that_has_begun_is_waited_for_also_by_who_is_late(calls, gatherer):
    """Only its answer says whether the entry was done."""
    one = gatherer()
    calls.go.clear()
    late = gevent.spawn(one.run, 1, within=0.01)
    assert not late.ready()
    gevent.sleep(0.05)
    assert not late.ready()
    calls.go.set()
    assert [True] == fates([late])


def test_who_cannot_wait_for_a_call_that_has_begun_goes_on_without(calls, gatherer):
    """A renewal may be done twice, and its lease ends soon."""
    one = gatherer()
    calls.go.clear()
    other = ask(one, 1)
    assert False is one.run(2, within=0.01, abandon=True)
    assert False is one.run(3, within=0.01, abandon=True)
    calls.go.set()
    assert [True] == fates(other)
    assert [[1], [2]] == calls.batches


def test_who_gives_up_sends_none_of_those_that_wait(calls, gatherer):
    """While the service fails each goes on alone."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2) + ask(one, 3)
    one.give_up()
    assert [False] == fates(asking[2:])
    calls.go.set()
    assert [True] * 2 == fates(asking[:2])


def test_close_sends_what_waits_and_then_nothing_more(calls, gatherer):
    """Marks that were asked for before a stop are written."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2) + ask(one, 3)
    closing = gevent.spawn(one.close, 30.0)
    gevent.sleep(0)
    calls.go.set()
    closing.join()
    assert [True] * 3 == fates(asking)
    assert False is one.run(4)
    assert [[1], [2], [3]] == calls.batches


def test_close_ends_within_its_time_whatever_hangs(calls, gatherer):
    """Those in a call and those that wait are told no."""
    one = gatherer()
    calls.go.clear()
    asking = ask(one, 1) + ask(one, 2) + ask(one, 3)
    one.close(0.01)
    assert [False] * 3 == fates(asking)
    assert [[1], [2]] == calls.batches
