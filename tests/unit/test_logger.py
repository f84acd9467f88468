"""The loggers: what comes out at which level and in which form, and where it goes."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from captured import captured
from sqsjkr_gevent.log import as_text, configure, get_logger
from sqsjkr_gevent.log import setup as logs
from sqsjkr_gevent.log.logger import Logger
from sqsjkr_gevent.log.standard import Standard
from waiting import eventually

NAME = "sqsjkr_gevent.worker.executor"


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test configures ends with it."""
    monkeypatch.setattr(logs, "_writer", None)
    before = Logger.output
    yield
    Logger.output = before


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was written since the call before, to a standard error without a descriptor."""
    return lambda: capsys.readouterr().err


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What the program's own handler gets, from INFO on."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    found: list[logging.LogRecord] = []
    package, handler = logging.getLogger("sqsjkr_gevent"), Handler()
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    yield found
    package.removeHandler(handler)
    package.setLevel(logging.NOTSET)


def tell_all() -> None:
    """One event of each level, the least severe first."""
    log = get_logger(NAME)
    for tell in (log.debug, log.info, log.warning, log.error, log.exception):
        tell(tell.__name__)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error", "exception"]),
        ("INFO", ["info", "warning", "error", "exception"]),
        ("warn", ["warning", "error", "exception"]),
        ("warning", ["warning", "error", "exception"]),
        ("error", ["error", "exception"]),
        ("silent", []),
    ],
)
def test_the_level_and_what_is_more_severe_is_written(written, level, expected):
    """And nothing else, from loggers that were made before."""
    configure(level, "json")
    tell_all()
    assert expected == [json.loads(line)["event"] for line in written().splitlines()]


def test_a_later_configuration_replaces_the_one_before(written):
    """A command loads the config first, and only then knows the form."""
    log = get_logger(NAME)
    configure("error", "json")
    configure("info", "text")
    log.info("e", a=1)
    assert written().endswith("Z [info     ] e a=1\n")


def test_what_is_not_written_is_not_rendered(written):
    """The repr of a value may be expensive."""

    class Watched:
        def __repr__(self) -> str:
            raise AssertionError("rendered")

    configure("error", "text")
    get_logger(NAME).info("e", a=Watched())
    assert "" == written()


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_comes_with_its_traceback(written, form):
    """At level error; outside of an except block there is none, and that is no error."""
    configure("info", form)
    log = get_logger(NAME)
    log.exception("without")  # noqa: LOG004
    try:
        raise KeyError("why")
    except KeyError:
        log.exception("with", a=1)
    without, _, rest = written().partition("\n")
    assert "Traceback" not in without
    assert "Traceback (most recent call last)" in rest
    assert "KeyError: 'why'" in rest


def test_a_field_may_have_any_name(written):
    """`event` and `self` too: a name that clashes must not cost a job."""
    configure("info", "json")
    get_logger(NAME).info("e", event=1, self=2, name=3)
    assert {"event": "e", "self": 2, "name": 3}.items() <= json.loads(written()).items()


def test_a_logger_raises_nothing_whatever_its_output_does():
    """As with a handler of the program's own that fails."""

    class Failing:
        level = 0

        def tell(self, *arguments: Any) -> None:
            raise OSError(28, "No space left on device")

    Logger.output = Failing()
    tell_all()


def test_without_standard_error_nothing_is_raised(monkeypatch):
    """A daemon may have closed it."""
    monkeypatch.setattr(sys, "stderr", None)
    for form in ("text", "json"):
        configure("debug", form)
        tell_all()


def test_only_a_terminal_gets_colours(monkeypatch):
    """A file, or a collector of logs, gets none."""
    leading, terminal = os.openpty()
    reading, writing = os.pipe()
    for fd, expected in ((terminal, as_text.render_coloured), (writing, as_text.render)):
        monkeypatch.setattr(sys, "stderr", open(fd, "w", closefd=False))  # noqa: SIM115
        assert expected is logs._text_renderer()
    for fd in (leading, terminal, reading, writing):
        os.close(fd)


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_line_about_missing_lines_has_the_form_of_the_others(monkeypatch, form):
    """Whoever reads JSON reads nothing else."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stderr", open(writing, "w", closefd=False))  # noqa: SIM115
    configure("info", form)
    assert logs._writer is not None
    logs._writer._dropped = 3
    get_logger(NAME).info("e")
    text = ""

    def all_of_it() -> bool:
        nonlocal text
        text += os.read(reading, 65536).decode()
        return 2 == text.count("\n")

    eventually(all_of_it)
    missing, _ = text.splitlines()
    if form == "json":
        assert [3, "lines of the log were dropped", "warning"] == list(
            json.loads(missing).values()
        )[:3]
    else:
        assert missing.endswith(" [warning  ] lines of the log were dropped count=3")
    for fd in (reading, writing):
        os.close(fd)


def test_unless_it_is_configured_events_go_to_the_logging_of_the_program(records):
    """Its handlers get the text, and what a formatter of JSON needs; its levels decide."""
    Logger.output = Standard()
    log = get_logger(NAME)
    log.debug("not asked for")
    log.info("job started", command="echo 100%s", pid=7)
    [record] = records
    assert "job started command='echo 100%s' pid=7" == record.getMessage()
    assert (NAME, "INFO") == (record.name, record.levelname)
    assert ("job started", {"command": "echo 100%s", "pid": 7}) == (record.event, record.fields)
    assert "test_unless_it_is_configured_events_go_to_the_logging_of_the_program" == record.funcName


def test_a_record_of_logging_has_the_exception(records):
    """For tools that report exceptions; and no control character gets into the message."""
    Logger.output = Standard()
    try:
        raise KeyError("why")
    except KeyError as error:
        get_logger(NAME).exception("fault", a="\x1b")
        expected = error
    [record] = records
    assert record.exc_info is not None
    assert (expected, logging.ERROR) == (record.exc_info[1], record.levelno)
    assert r"fault a='\x1b'" == record.getMessage()


def test_pytest_captures_what_a_library_user_logs(caplog):
    """Tests of a user's own need no double of the log."""
    Logger.output = Standard()
    with caplog.at_level("INFO", logger="sqsjkr_gevent"):
        get_logger(NAME).info("job started", pid=7)
    assert ["job started pid=7"] == caplog.messages


def test_captured_gives_the_fields_and_then_lets_go():
    """What our own tests use."""
    before = Logger.output
    log = get_logger(NAME)
    with captured() as events:
        log.info("e", a=1)
        try:
            raise KeyError("why")
        except KeyError as error:
            log.exception("f")
            expected = error
    log.info("later")
    assert before is Logger.output
    assert [
        {"a": 1, "event": "e", "level": "info"},
        {"event": "f", "level": "error", "error": expected},
    ] == events
