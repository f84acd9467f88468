"""Whatever a config file is, it becomes a config or one clear error."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile import corpus, search
from sqsjkr_gevent.config import Config
from sqsjkr_gevent.config.names import CHECKS
from sqsjkr_gevent.config.toml import MAX_BYTES
from sqsjkr_gevent.errors import ConfigError

#: Characters of an error, which is printed as one line.
LONGEST = 1000

ENVIRON = {"SET": "a value", "QUOTES": '"\n[kicker]\nmax_concurrent_num = 3\n#', "EMPTY": ""}


def judge(text: str) -> None:
    """It is a config, or an error that begins with the name of the file."""
    try:
        found = Config.loads(text, "conf.toml", ENVIRON)
    except ConfigError as error:
        refused = str(error)
    else:
        assert found.sqs.queue_name
        assert found.account.region
        assert found.replace() == found
        return
    assert refused.startswith("conf.toml")
    assert is_clear(refused)


def is_clear(error: str) -> bool:
    """It is one short line, and no hint of Python's for who wrote the program."""
    return len(error) <= LONGEST and "\n" not in error and "int_max_str_digits" not in error


REQUIRED = '[account]\nid = "123456789012"\nregion = "us-east-1"\n[sqs]\nqueue_name = "q"\n'

NAMES = sorted({name for one in CHECKS for name in one})

#: Values as a file spells them, right and wrong ones.
VALUES = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ['"1m"', '"7d"', '"any"', '"auto"', "true", "0", "1", "[]", "[1, 2", '["a", "b"]',
         "{a = 1}", "1979-05-27T07:32:00Z", "07:32:00", "0x" + "f" * 5000, "9" * 5000, "0b1",
         "1_000", "nan", "1e400", "+5", "-0", "[[1], [2]]", '["a", 1]', "[" * 200,
         "''", "'''", '"""', '"""\n"""', r'"\ud800"', r'"\u0000"', '"\\',
         "{{", "{{ env }}", '{{ env "SET" "x" }}', '{{ must_env "QUOTES" }}',
         "{{ must_env `UNSET` }}", '"redis://[::1"', '"http://a:99999"', '"http://[x]"']
    ),
)  # fmt: skip
LINES = st.one_of(
    st.sampled_from(NAMES).map(lambda name: f"[{name}]"),
    st.tuples(st.sampled_from(NAMES), VALUES).map(" = ".join),
    st.tuples(st.text(max_size=5), VALUES).map(" = ".join),
    st.sampled_from(["[[kicker]]", "[a.b]", "[]", "[", "= 1", "[kicker", '["kicker"]', "\\", "\f"]),
    st.text(max_size=20),
)  # fmt: skip
#: A key of a section, with a value: most of what a typo makes.
SECTIONS = st.tuples(st.sampled_from(sorted(CHECKS)), VALUES).map(
    lambda one: f"[{one[0][0]}]\n{one[0][1]} = {one[1]}"
)
TEMPLATES = st.lists(
    st.sampled_from(
        ["{{", "}}", "{{-", " -}}", "env", "must_env", "json_escape", " ", '"SET"', "`EMPTY`", "|",
         "(", ")", '"', "`", "\\", "/*", "*/", "\n", "x", r'"\xff"',
         r'"\777"', '"\\U00110000"', '"\\ud800"']
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    raw=st.one_of(
        st.lists(LINES, max_size=6).map("\n".join),
        st.lists(LINES, max_size=4).map("\n".join).map(REQUIRED.__add__),
        SECTIONS.map(REQUIRED.replace("[sqs]\n", "[SQS]\n").__add__),
        TEMPLATES.map(REQUIRED.__add__),
    ).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@corpus("configs")
@search(100)
def test_any_text_is_a_config_or_an_error_in_one_line_with_the_file_in_it(raw):
    """Who edits a config at night reads one line, and never a traceback."""
    judge(raw.decode("utf-8", "surrogateescape"))


ANY_VALUE = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    st.lists(st.integers() | st.text()),
    st.dictionaries(st.text(), st.text()),
    st.sampled_from([10**5000, -(10**5000), [10**5000], b"x", "\ud800", "0" * 5000]),
)


@given(name=st.sampled_from(sorted(CHECKS)), value=ANY_VALUE)
@search(100)
def test_a_value_of_any_type_is_taken_or_refused_by_the_name_of_its_key(name, value):
    """As a file, a keyword or an option may give it."""
    config = Config.loads(REQUIRED, environ={})
    try:
        config.replace(**{"__".join(name): value})
    except ConfigError as error:
        refused = str(error)
    else:
        return
    assert ".".join(name) in refused or name[0] == "retry"
    assert is_clear(refused)


def filled(start: str, piece: str) -> str:
    """As long as a file may be."""
    return start + piece * ((MAX_BYTES - len(start)) // len(piece))


IN_KICKER = REQUIRED + "[kicker]\n"
OPEN_AT_THE_END = (
    IN_KICKER + "".join(f"a{number} = 1\n" for number in range(5500)) + "x = [1, 'a'\n"
)

LARGE = {
    "blank lines": filled(REQUIRED, "\n"),
    "a key again and again": filled(IN_KICKER, "a = 1\n"),
    "an open list after many keys": OPEN_AT_THE_END,
    "lists in lists": filled(IN_KICKER + "timeout = ", "["),
    "an open text": filled(IN_KICKER + 'life_time_trigger = "', "x"),
    "parentheses": filled(REQUIRED + "{{ env ", "("),
    "templates": filled(REQUIRED, "{{ "),
    "brackets": filled("", "["),
    "signs": filled("", "="),
    "a mebibyte": "x" * (1 << 20),
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=name, marks=[pytest.mark.slow] if name == "lists in lists" else [])
        for name, text in LARGE.items()
    ],
)
def test_the_largest_file_is_read_or_refused_in_no_minute(text):
    """A file that is no config, named by mistake, does not look like a hang."""
    began = time.process_time()
    judge(text)
    assert time.process_time() - began < 20  # Far above: three seconds, not minutes.


def test_a_file_without_an_end_is_refused():
    """`-c /dev/zero` would take all memory of the host."""
    with pytest.raises(ConfigError, match="/dev/zero: expected at most 65536 bytes"):
        Config.load("/dev/zero")
