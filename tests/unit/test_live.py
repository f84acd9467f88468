"""One answer for several kickers."""

from typing import Any

import pytest

from sqsjkr_gevent.fleet.fleet import share
from sqsjkr_gevent.fleet.peers import silent
from sqsjkr_gevent.telemetry import Depth, Numbers, Tally
from sqsjkr_gevent.web.live import MAX_SHOWN, longest_lag, merged, one_health, series

NOW = 1000.0


def member(pid: int, **more: Any) -> dict[str, Any]:
    """What a process tells."""
    problems = more.pop("problems", [])
    health = {
        "status": "failing" if problems else "ok",
        "problems": problems,
        "last_successful_receive": float(pid),
        "heartbeat_lag": pid / 10,
        "errors": {},
    }
    return {
        **silent(0), "pid": pid, "main_pid": 7, "host": "h", "queue": "q", "state": "running",
        "started_at": NOW - 500, "well": not problems, "health": health,
        "busy": 1, "slots": 2, "waiting": 3, "held": 4, "rate": 0.5,
        **more,
    }  # fmt: skip


def test_numbers_are_added_up_and_jobs_are_told_oldest_first():
    """And no more than a page can show."""
    jobs = [{"job_id": str(at), "started_at": float(at)} for at in range(300)]
    told = merged(
        [member(1, running=jobs[1::2], waits=[1.0, 2.0]),
         member(2, running=jobs[::2], waits=[3.0])],
        {"succeeded": 5},
        Depth(NOW, Numbers(1, 2, 3, None)),
        NOW,
    )  # fmt: skip
    assert (2, 4, 6, 8, 1.0) == tuple(
        told[key] for key in ("busy", "slots", "waiting", "held", "rate")
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
        ([member(1), silent(3)], False, ["process 3: does not answer"]),
    ],
)
def test_a_fleet_is_well_while_one_of_it_is_and_the_others_come_or_go(members, well, problems):
    """A reload must not look like a failure, and a process that never gets up must."""
    said, report = one_health(members, NOW)
    assert (well, problems) == (said, report["problems"])
    assert longest_lag(members) == report["heartbeat_lag"]
    assert ("ok" if well else "failing") == report["status"]


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
