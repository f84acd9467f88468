"""One answer for several kickers."""

import json
from typing import Any

import pytest
from gevent import socket
from gevent.server import StreamServer

from sqsjkr_gevent.fleet.fleet import share
from sqsjkr_gevent.fleet.peers import Peers
from sqsjkr_gevent.telemetry import Depth, HealthReport, Numbers, Tally
from sqsjkr_gevent.web import ProcessState
from sqsjkr_gevent.web.live import MAX_SHOWN, longest_lag, merged, one_health, series
from sqsjkr_gevent.web.state import RunningJob, WaitingJob

NOW = 1000.0


def member(pid: int, **more: Any) -> ProcessState:
    """What a process tells, after its way through a socket."""
    health = HealthReport(
        problems=more.pop("problems", []),
        last_successful_receive=float(pid),
        heartbeat_lag=pid / 10,
        errors={},
    )
    known = {
        "main_pid": 7, "host": "h", "queue": "q", "state": "running", "started_at": NOW - 500,
        "busy": 1, "slots": 2, "waiting": 3, "prefetched": 4, "rate": 0.5,
    }  # fmt: skip
    state = ProcessState(pid=pid, health=health, **(known | more))
    assert state == ProcessState.from_json(json.loads(json.dumps(state.as_json())))
    return state


def running(at: int) -> RunningJob:
    """A job that has run since then."""
    return RunningJob(str(at), "e", None, "true", float(at), 9, 1)


def test_numbers_are_added_up_and_jobs_are_told_oldest_first():
    """And no more than a page can show."""
    jobs = [running(at) for at in range(300)]
    told = merged(
        [member(1, running=jobs[1::2], waits=[1.0, 2.0]),
         member(2, running=jobs[::2], waits=[3.0])],
        {"succeeded": 5},
        Depth(NOW, Numbers(1, 2, 3, None)),
        NOW,
    )  # fmt: skip
    assert (2, 4, 6, 8, 1.0) == tuple(
        told[key] for key in ("busy", "slots", "waiting", "prefetched", "rate")
    )
    assert [str(at) for at in range(MAX_SHOWN)] == [job["job_id"] for job in told["running"]]
    assert (5, 0) == (told["invocations"]["succeeded"], told["invocations"]["invalid"])
    assert {"p50": 2.0, "p95": 3.0} == told["waited"]
    assert (1, None) == (told["queue_depth"]["visible"], told["queue_depth"]["dead_letters"])
    assert [1, 2] == [process["pid"] for process in told["processes"]]
    assert 7 == told["main_pid"]


@pytest.mark.parametrize(
    ("members", "well", "problems"),
    [
        ([member(1), member(2)], True, []),
        ([member(1), member(2, problems=["x"])], False, ["process 2: x"]),
        ([member(1), member(2, problems=["x"], state="draining")], True, []),
        ([member(1), member(2, problems=["x"], state="starting", started_at=NOW - 9)], True, []),
        (
            [member(1), member(2, problems=["x"], state="starting", started_at=NOW - 61)],
            False,
            ["process 2: x"],
        ),
        ([member(1, problems=["x"], state="draining")], False, ["x"]),
        (
            [member(n, problems=["x"], state="starting", started_at=NOW - 1) for n in (1, 2)],
            False,
            ["process 1: x", "process 2: x"],
        ),
        ([member(1), ProcessState.silent(3)], False, ["process 3: does not answer"]),
    ],
)
def test_a_fleet_is_well_while_one_of_it_is_and_the_others_come_or_go(members, well, problems):
    """A reload must not look like a failure, and a process that never gets up must."""
    report = one_health(members, NOW)
    assert (well, problems) == (report.is_well, report.problems)
    assert longest_lag(members) == report.heartbeat_lag
    assert ("ok" if well else "failing") == report.as_json()["status"]


def test_a_state_with_all_it_can_have_goes_through_json_and_back():
    """Also one of another version, that knows more or less: as during an upgrade."""
    waiting = WaitingJob("j", "e", "L", "true", "lock", 5.0, "web-1")
    depth = Depth(NOW, Numbers(1, 2, 3, None))
    state = member(1, running=[running(1)], waiting_jobs=[waiting], queue_depth=depth, waits=[1.0])
    told = state.as_json()
    assert ("lock", False) == (told["waiting_jobs"][0]["for"], "what" in told["waiting_jobs"][0])
    other = {name: value for name, value in told.items() if name != "prefetched"} | {"new": 1}
    for part in (other["health"], other["running"][0], other["waiting_jobs"][0]):
        part["new"] = 1
    other["queue_depth"]["new"] = 1
    read = ProcessState.from_json(other)
    assert 0 == read.prefetched
    assert (state.running, state.waiting_jobs) == (read.running, read.waiting_jobs)
    assert (state.health, state.queue_depth) == (read.health, read.queue_depth)


@pytest.mark.parametrize("reply", [b'{"pid": 7, "busy": 1', b"[]", b'{"pid": 7}'])
def test_a_process_whose_reply_is_cut_short_or_makes_no_sense_counts_as_silent(tmp_path, reply):
    """As one that was killed while it replied; the others are shown all the same."""
    path = tmp_path / "7"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)

    def answer(connection: Any, _: object) -> None:
        connection.sendall(reply)

    server = StreamServer(listener, answer)
    server.start()
    mine = member(1)
    assert [mine, ProcessState.silent(7)] == Peers(tmp_path, 1, lambda: mine).states()
    server.stop()


def test_the_series_has_one_row_for_each_step_and_the_mean_wait():
    """Outcomes of nothing are there, as 0."""
    told = series({(20, "errored"): Tally(1, 6.0), (10, "succeeded"): Tally(2, 3.0),
                   (20, "succeeded"): Tally(2, 3.0)})  # fmt: skip
    assert [(10, 2, 0, 1.5), (20, 2, 1, 3.0)] == [
        (row["at"], row["succeeded"], row["errored"], row["waited"]) for row in told["buckets"]
    ]
    assert 0 == told["buckets"][0]["invalid"]


@pytest.mark.parametrize(
    ("total", "processes", "shares"),
    [(20, 4, [5, 5, 5, 5]), (7, 3, [3, 2, 2]), (3, 3, [1, 1, 1]), (2, 3, [1, 1, 1])],
)
def test_slots_are_shared_out_to_the_last_one(total, processes, shares):
    """None is lost, and no process is without."""
    assert shares == [share(total, processes, index) for index in range(processes)]
