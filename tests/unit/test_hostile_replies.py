"""Whatever answers on the socket of a process, the others show what they know, soon."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from hostile import corpus, search
from sqsjkr_gevent.errors import StoreError
from sqsjkr_gevent.fleet.peers import ANSWER_WITHIN, Peers
from sqsjkr_gevent.telemetry import Depth, HealthReport, Numbers
from sqsjkr_gevent.web import ProcessState
from sqsjkr_gevent.web.exposition import exposition
from sqsjkr_gevent.web.live import merged
from sqsjkr_gevent.web.state import RunningJob, WaitingJob

#: Seconds within which the others have answered, on a loaded machine.
SOON = 20 * ANSWER_WITHIN


def state(pid: int) -> ProcessState:
    """What a process tells that is well."""
    return ProcessState(
        pid=pid,
        health=HealthReport(
            problems=["one"], last_successful_receive=1.0, heartbeat_lag=0.1, errors={"a": "b"}
        ),
        busy=1,
        slots=2,
        waits=[0.5],
        running=[RunningJob("j", "e", None, "true", 1.0, 9, pid)],
        waiting_jobs=[WaitingJob("k", "e", "L", "true", "lock", 2.0, None)],
        queue_depth=Depth(3.0, Numbers(1, 2, 3, None)),
    )


def numbers_of_all(states: list[ProcessState]) -> None:
    """What the web face makes of them is JSON, and metrics."""
    depths = [one.queue_depth for one in states if one.queue_depth is not None]
    told = merged(states, {}, depths[-1] if depths else None, 10.0)
    json.dumps(told, allow_nan=False)
    exposition(CollectorRegistry(), states, depths[-1] if depths else None)


@pytest.fixture
def fleet(tmp_path: Path) -> Callable[[Callable[[Any], None]], list[ProcessState]]:
    """The states of this process, 1, and of another one, 2, which answers by that function."""
    asking = Peers(tmp_path, 1, lambda: state(1))

    def ask(answer: Callable[[Any], None]) -> list[ProcessState]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        (tmp_path / "2").unlink(missing_ok=True)
        listener.bind(str(tmp_path / "2"))
        listener.listen(8)

        def serve(connection: Any, _: object) -> None:
            try:
                answer(connection)
            except OSError:
                pass  # The other side had enough.

        server = StreamServer(listener, serve)
        server.start()
        began = time.monotonic()
        try:
            return asking.states()
        finally:
            took = time.monotonic() - began
            server.stop(timeout=0)
            assert took < SOON

    return ask


NAME = st.text(max_size=5)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAME,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAME, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def almost(draw: Any) -> bytes:
    """A reply with something else in one place of it."""
    told = state(2).as_json()
    places = [(told, name) for name in told]
    places += [(told["health"], name) for name in told["health"]]
    places += [(told["queue_depth"], name) for name in told["queue_depth"]]
    for job in (told["running"][0], told["waiting_jobs"][0]):
        places += [(job, name) for name in job]
    where, name = draw(st.sampled_from(places))
    if draw(st.booleans()):
        where[name] = draw(
            JUNK | st.sampled_from([10**400, -(10**30), [10**400], [[]], [None], {}])
        )
    else:
        del where[name]
    text = json.dumps(told).encode()
    return text[: draw(st.integers(1, len(text)))] if draw(st.integers(0, 9)) == 0 else text


@given(raw=st.one_of(almost(), JUNK.map(lambda junk: json.dumps(junk).encode()), st.binary()))
@corpus("replies")
@search(100)
def test_any_reply_is_a_state_or_silence(fleet, capfd, raw):
    """A worker of another version, or one that is killed while it replies, hides no other one."""
    states = fleet(lambda connection: connection.sendall(raw))
    assert state(1) == states[0]
    assert len(states) <= 2
    numbers_of_all(states)
    assert "Traceback" not in capfd.readouterr().err


def test_a_reply_that_never_ends_is_silence(fleet):
    """One that comes byte by byte would keep the page, the health check and their greenlets."""

    def trickle(connection: Any) -> None:
        while True:
            connection.sendall(b" ")
            gevent.sleep(ANSWER_WITHIN / 5)

    assert [state(1), ProcessState.silent(2)] == fleet(trickle)


def test_a_reply_of_any_length_takes_little_memory(fleet):
    """The process that asks is a kicker, and its jobs need the host's memory."""
    sent = 0

    def flood(connection: Any) -> None:
        nonlocal sent
        while True:
            connection.sendall(b" " * (1 << 20))
            sent += 1

    assert [state(1), ProcessState.silent(2)] == fleet(flood)
    assert sent < 64


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_reply_that_stops_half_way_is_silence(fleet, length):
    """A process that stands still holds its connection."""

    def stop(connection: Any) -> None:
        connection.sendall(json.dumps(state(2).as_json()).encode()[:length])
        gevent.sleep(SOON)

    assert [state(1), ProcessState.silent(2)] == fleet(stop)


def test_files_that_are_no_sockets_of_processes_are_left_out(tmp_path, capfd):
    """An editor's copy, or a directory, names no process."""
    (tmp_path / "notes.txt").touch()
    (tmp_path / "3").mkdir()
    (tmp_path / "\N{SUPERSCRIPT TWO}").touch()
    assert [1] == [one.pid for one in Peers(tmp_path, 1, lambda: state(1)).states()]
    assert "Traceback" not in capfd.readouterr().err


def test_a_directory_that_was_removed_is_an_error_that_names_it(tmp_path):
    """A program that tidies up temporary files takes away what makes the fleet one."""
    gone = tmp_path / "gone"
    with pytest.raises(StoreError, match=str(gone)):
        Peers(gone, 1, lambda: state(1)).states()
