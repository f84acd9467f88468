"""Whatever a message's body is, it becomes a job or one clear error."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile import corpus, search
from sqsjkr_gevent.errors import InvalidMessage
from sqsjkr_gevent.job import Job
from sqsjkr_gevent.job.body import KEYS
from sqsjkr_gevent.message import Message

#: The largest body that SQS takes, in bytes.
LARGEST = 1 << 20

#: Characters of an error; it goes into the log and into an attribute of the dead letter.
LONGEST = 1000


def job_or_reason(body: str) -> Job | str:
    """What a body becomes. Any other exception is a defect."""
    message = Message(id="m-1", body=body, receipt_handle="r", sent_at=1000.0)
    try:
        return Job.from_message(message)
    except InvalidMessage as error:
        return str(error)


def judge(body: str) -> None:
    """The job can be run, or the reason can be shown: in one short line."""
    found = job_or_reason(body)
    if isinstance(found, Job):
        texts = [
            found.command,
            found.event_id,
            found.lock_id or "",
            *found.env,
            *found.env.values(),
        ]
        assert found.command.strip()
        assert [] == [text for text in texts if "\0" in text or text != text.encode().decode()]
        assert all(name and "=" not in name for name in found.env)
        seconds = [found.life_time, found.timeout]
        assert all(one is None or abs(one) < 1e10 for one in seconds)
    else:
        assert 0 < len(found) <= LONGEST
        assert found.isprintable()


# JSON spelt by hand: what json.dumps would never write.
TEXT = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.sampled_from(
        [
            r'"\ud800"', r'"\udc00\ud800"', '"\ufeff"', r'"\u0000"', '"\t"', '"\\', '"\\x41"',
            '""', '" "', '"1h"', '"-1h"', '"1e9h"', '"0h0h"', '"' + "9" * 30 + 'h"',
            '"' + "0h" * 3000 + '"', '"-' + "0h" * 3000 + '"', '"' + "x" * 3000 + '"',
        ]
    ),
)  # fmt: skip
NUMBER = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["NaN", "-Infinity", "1e999", "-1e999", "9" * 5000, "-" + "9" * 5000, "1" + "0" * 4299,
         "-0", "0.0", "1E400", "0x10", "01", "+1", ".5"]
    ),
)  # fmt: skip
KEY = st.one_of(
    st.sampled_from(sorted(KEYS)).map(json.dumps),
    st.sampled_from(sorted(KEYS)).map(lambda key: json.dumps(key.upper())),
    TEXT,
)
VALUE = st.recursive(
    st.one_of(TEXT, NUMBER, st.sampled_from(["null", "true", "false", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(TEXT, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}:{one}" for key, one in pairs) + "}"
        ),
    ),
    max_leaves=6,
)
BODY = st.lists(st.tuples(KEY, VALUE), max_size=5).map(
    lambda pairs: (
        "{" + ",".join(['"command":"true"', *(f"{key}:{one}" for key, one in pairs)]) + "}"
    )
)


@given(raw=st.one_of(st.binary(max_size=200), BODY.map(lambda text: text.encode("utf-8"))))
@corpus("bodies")
@search(200)
def test_any_text_is_a_job_or_an_error_in_one_short_line(raw):
    """Nobody can stop a kicker, or flood its log, with a message."""
    judge(raw.decode("utf-8", "surrogateescape"))
    judge(raw.decode("latin-1"))


#: Bodies of the largest size. Each is made of a text that is repeated.
LARGE: dict[str, str] = {
    "lists in lists": "[" * LARGEST,
    "objects in objects": '{"a":' * (LARGEST // 5),
    "a command": json.dumps({"command": "x" * (LARGEST - 20)}),
    "keys": '{"command":"true"'
    + "".join(f',"k{number}":0' for number in range(LARGEST // 16))
    + "}",
    "the same key": '{"command":"true"' + ',"envs":{}' * (LARGEST // 11) + "}",
    "a number": '{"command":"true","life_time":' + "9" * (LARGEST - 40) + "}",
    "a fraction": '{"command":"true","life_time":0.' + "9" * (LARGEST - 40) + "}",
    "a duration": json.dumps({"command": "true", "timeout": "-" + "0h" * (LARGEST // 2 - 30)}),
    "a fraction of a duration": json.dumps(
        {"command": "true", "timeout": "0." + "9" * (LARGEST - 50) + "s"}
    ),
    "a unit": json.dumps({"command": "true", "life_time": "1" + "x" * (LARGEST - 50)}),
    "a name": json.dumps({"command": "true", "envs": {"=" * (LARGEST - 50): ""}}),
    "variables": json.dumps(
        {"command": "true", "envs": {f"V{number}": "" for number in range(60_000)}}
    ),
    "blanks": " " * LARGEST,
    "escapes": '{"command":"' + r"\ud83d" * (LARGEST // 6 - 5) + '"}',
    "a byte order mark": "\ufeff" + json.dumps({"command": "x" * (LARGEST - 30)}),
}


#: Those that take seconds, because tracemalloc looks at each of their half million pieces.
SLOW = ("a duration", "variables")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, body in LARGE.items()
    ],
)
def test_a_body_of_the_largest_size_takes_little_memory_and_no_minute(body):
    """A mebibyte costs some mebibytes for a moment; the hub stands still meanwhile."""
    tracemalloc.start()
    began = time.process_time()
    try:
        judge(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 * LARGEST
    assert time.process_time() - began < 20  # Far above: seconds under tracemalloc, not minutes.
