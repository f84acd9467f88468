"""The page of a kicker in a real browser: what it shows, and that it follows what happens."""

import json
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
from gevent.pywsgi import WSGIServer
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from browser import SOON
from gates import Gate
from kickers import settings, toml
from servers import free_port
from sqsjkr_gevent import Config, Kicker
from sqsjkr_gevent.stores.history import SqliteHistory
from sqsjkr_gevent.telemetry import Record
from sqsjkr_gevent.web import create_app
from waiting import eventually

#: Jobs of the long test, and of its short form.
MANY = 10_000
SOME = 300


def end(number: int, **fields) -> Record:
    """An end as a kicker would keep it, a second after the one before."""
    at = time.time() - MANY + number
    known = {
        "job_id": f"job-{number}",
        "event_id": f"event-{number % 10}",
        "lock_id": None,
        "command": f"echo {number}",
        "outcome": "succeeded",
        "cause": "exit",
        "reason": "exit status 0",
        "exit_status": 0,
        "sent_at": at - 2,
        "ended_at": at,
        "waited": 1.0,
        "ran": 1.0,
        "attempt": 1,
        "host": "web-9",
        "pid": 99,
        "output": f"{number}\n",
    }
    return Record(**(known | fields))


def kept(path: Path, ends: list[Record]) -> None:
    """Write a history's file as a kicker of earlier would have left it."""
    history = SqliteHistory(str(path), run="earlier", keep=7 * 86400.0)
    for one in ends:
        history.add(one)
    history.close()


def send_many(queue, number: int) -> None:
    """Send jobs that do nothing, ten a call."""
    entries = [{"Id": str(n), "MessageBody": '{"command": "true"}'} for n in range(10)]
    for _ in range(number // 10):
        queue.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)


def test_an_idle_kicker_shows_that_it_is_well_and_that_nothing_runs(watched, queue):
    """At 3 a.m. an empty table must not look like a broken page."""
    _, page = watched
    page.shows("#health", "healthy")
    page.shows("#connection", "live")
    assert queue.name == page.shows("#queue").text
    assert "0 / 20" == page.shows("#slots", "/").text
    page.shows("#running-empty", "No job is running")
    page.shows("#waiting-empty", "No job is waiting")
    page.shows("#ended-empty", "No job has ended yet")
    eventually(lambda: "0" == page.shows("#visible").text, deadline=SOON)
    assert f"0/20 · {queue.name}" == page.driver.title
    assert [] == page.seen("#trouble, #lost, #processes-panel")


def test_a_job_is_seen_running_and_then_ended_without_a_reload(watched, queue, tmp_path):
    """Whoever watches sees it at once, and its age ticks."""
    _, page = watched
    page.script("window.notReloaded = true")
    gate = Gate(tmp_path)
    queue.send({"command": gate.command, "event_id": "report", "lock_id": "daily"})
    row = page.shows("#running tr", "report")
    assert "lock daily" in row.text
    ages = set()
    eventually(lambda: ages.add(row.text.split()[0]) or len(ages) > 1, deadline=SOON)
    assert "1 / 20" == page.shows("#slots").text
    assert f"1/20 · {queue.name}" == page.driver.title
    gate.open()
    ended = page.shows("#ended tr", "report")
    assert "succeeded" in ended.text
    page.shows("#running-empty", "No job is running")
    eventually(lambda: "1" == page.texts("#totals tr td")[1], deadline=SOON)
    assert page.script("return window.notReloaded")


def test_a_click_on_a_job_shows_all_that_is_known_of_it_with_its_output(watched, queue):
    """Why it failed is in what it printed."""
    _, page = watched
    body = {"command": "echo to stdout; echo to stderr >&2; exit 3", "event_id": "broken"}
    job_id = queue.send(body)
    page.shows("#ended tr", "exit")
    dialog = page.open_job("#ended button")
    assert "to stdout\nto stderr" == page.shows("#job pre[aria-label=Output]").text
    shown = dict(zip(page.texts("#job dt"), page.texts("#job dd"), strict=True))
    assert ("errored", "exit", "3", "1", "broken", job_id, "none") == tuple(
        shown[name]
        for name in ("Outcome", "Cause", "Exit status", "Attempt", "event_id", "job_id", "lock_id")
    )
    assert body["command"] in dialog.text
    exact = page.script("return document.querySelector('#job time').title")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", exact)


@pytest.mark.slow
def test_the_dialog_of_a_running_job_turns_into_its_end(watched, queue, tmp_path):
    """Whoever looks at a job that runs sees how it ends, without opening it again."""
    _, page = watched
    gate = Gate(tmp_path)
    queue.send({"command": f"{gate.command}; echo done", "event_id": "slow"})
    page.open_job("#running button")
    assert "running" == page.texts("#job dd")[0]
    gate.open()
    page.shows("#job pre[aria-label=Output]", "done")


def test_a_job_that_waits_tells_for_which_lock_and_who_holds_it(watched, queue, tmp_path):
    """The question of most nights: why does my job not start?"""
    _, page = watched
    gate = Gate(tmp_path)
    queue.send({"command": gate.command, "event_id": "first", "lock_id": "ledger"})
    page.shows("#running tr", "first")
    queue.send({"command": "true", "event_id": "second", "lock_id": "ledger"})
    waiting = page.shows("#waiting-rows tr", "second")
    assert "lock ledger" in waiting.text
    eventually(lambda: "first" in page.shows("#waiting-rows .holder").text, deadline=SOON)
    assert "1" == page.shows("#waiting").text
    gate.open()
    page.shows("#ended tr", "second")
    page.shows("#waiting-empty")


@pytest.mark.slow
def test_a_search_finds_the_ends_of_an_event_and_of_an_outcome(watched, queue):
    """One job among thousands is found by its name, and the address can be passed on."""
    kicker, page = watched
    for number in range(3):
        queue.send({"command": f"exit {number % 2}", "event_id": f"e{number}"})
    eventually(lambda: 3 == len(page.texts("#ended tr")), deadline=SOON)
    page.shows("#search-event").send_keys("e1\n")
    eventually(lambda: ["e1"] == page.texts("#ended .open"), deadline=SOON)
    page.shows("#found", "event_id “e1”")
    page.shows("#found-now", "None is running or waiting")
    page.driver.get(f"{kicker.url}/?outcome=succeeded")
    eventually(lambda: {"e0", "e2"} == set(page.texts("#ended .open")), deadline=SOON)
    page.shows("#search-outcome option:checked", "succeeded")
    page.shows("#search-event").send_keys("nobody\n")
    page.shows("#ended-empty", "No matching job found")
    page.shows("#search button[type=reset]").click()
    eventually(lambda: 3 == len(page.texts("#ended tr")), deadline=SOON)


@pytest.mark.slow
def test_older_ends_are_shown_page_by_page(aws, queue, kick, open_page, tmp_path):
    """All that is kept can be reached, fifty at a time, and the way back is one click."""
    path = tmp_path / "history.sqlite"
    kept(path, [end(number) for number in range(120)])
    kicker = kick(settings(aws, queue, history={"path": str(path)})).started()
    page = open_page(kicker.url)
    jobs = "return [...document.querySelectorAll('#ended .open')].map((one) => one.dataset.job)"
    numbers = [f"job-{number}" for number in reversed(range(120))]
    for first in (0, 50, 100):
        wanted = numbers[first : first + 50]
        eventually(lambda wanted=wanted: wanted == page.script(jobs), deadline=SOON)
        if first < 100:
            page.shows("#older").click()
    assert [] == page.seen("#older")
    page.shows("#newest").click()
    eventually(lambda: numbers[:50] == page.script(jobs), deadline=SOON)


@pytest.mark.slow
def test_a_pause_holds_the_list_still_and_tells_how_many_ended_since(watched, queue):
    """A list that moves under the pointer cannot be read."""
    _, page = watched
    queue.send({"command": "true", "event_id": "before"})
    page.shows("#ended tr", "before")
    page.shows("#pause").click()
    queue.send({"command": "true", "event_id": "after"})
    page.shows("#held-still", "paused, 1 ended since")
    assert ["before"] == page.texts("#ended .open")
    page.shows("#pause").click()
    eventually(lambda: ["after", "before"] == page.texts("#ended .open"), deadline=SOON)


@pytest.mark.slow
def test_a_kicker_that_drains_says_so_and_shows_the_process(watched, queue, tmp_path):
    """A stop that takes long must not look like a fault of unknown kind."""
    kicker, page = watched
    gate = Gate(tmp_path)
    queue.send({"command": gate.command, "event_id": "long"})
    page.shows("#running tr", "long")
    kicker.send(signal.SIGTERM)
    page.shows("#health", "failing")
    page.shows("#problems", "the kicker is draining")
    page.shows("#processes tr", "draining")
    assert page.driver.title.startswith("! ")
    gate.open()
    assert 0 == kicker.wait()


@pytest.mark.slow
def test_a_fleet_shows_each_process_and_which_of_them_does_not_answer(aws, queue, kick, open_page):
    """One process of four that hangs would else only be a number that is too low."""
    config = settings(aws, queue, kicker={"stats_port": free_port()})
    kicker = kick(config, arguments=("--processes", "2"))
    kicker.says("started", count=2)
    page = open_page(kicker.url)
    page.shows("#processes tr:nth-child(2)", "running")
    pids = [int(pid) for pid in page.texts("#processes .pid")]
    for pid in pids:
        assert kicker.pid == psutil.Process(pid).ppid()
    stopped, other = pids
    os.kill(stopped, signal.SIGSTOP)
    try:
        assert str(stopped) in page.shows("#processes tr", "does not answer").text
        page.shows("#problems", f"process {stopped}: does not answer")
        page.shows("#processes tr", str(other))
    finally:
        os.kill(stopped, signal.SIGCONT)
    page.shows("#health", "healthy")


@pytest.mark.slow
def test_a_lost_connection_is_shown_and_comes_back_by_itself(aws, queue, kick, open_page):
    """Old figures must not look like new ones; and nobody should have to press reload."""
    config = settings(aws, queue, kicker={"stats_port": free_port()})
    kicker = kick(config).started()
    page = open_page(kicker.url)
    page.shows("#connection", "live")
    os.kill(kicker.pid, signal.SIGSTOP)
    page.shows("#lost", "Connection lost. Showing data from")
    assert f"lost · {queue.name}" == page.driver.title
    os.kill(kicker.pid, signal.SIGCONT)
    page.shows("#connection", "live")
    kicker.clean_up()
    page.shows("#connection", "connection lost")
    kick(config).started()
    page.shows("#connection", "live")
    assert [] == page.seen("#lost")


@pytest.mark.parametrize(
    "jobs", [SOME, pytest.param(MANY, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_it_stands_ten_thousand_jobs(aws, queue, kick, open_page, tmp_path, jobs):
    """A page that is open for a night of jobs has as many elements and as much memory as before."""
    path = tmp_path / "history.sqlite"
    kept(path, [end(number) for number in range(MANY)])
    config = settings(aws, queue, history={"path": str(path)}, log={"level": "error"})
    kicker = kick(config, arguments=("--log-level", "info")).started()
    page = open_page(kicker.url)
    eventually(lambda: 50 == len(page.texts("#ended tr")), deadline=SOON)
    before, heap = page.nodes(), heap_of(page)
    send_many(queue, jobs)
    eventually(lambda: f"{jobs:,}" == page.texts("#totals tr td")[1], deadline=SOON + jobs / 20)
    page.shows("#running-empty")
    eventually(lambda: "true" in page.texts("#ended .command")[-1], deadline=SOON)
    assert 50 == len(page.texts("#ended tr"))
    assert abs(page.nodes() - before) < 300
    assert heap_of(page) < heap + 3_000_000
    page.open_job("#ended button")


def heap_of(page) -> int:
    """Bytes of JavaScript that are still in use."""
    page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    return int(page.script("return performance.memory.usedJSHeapSize"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0s"),
        (0.0004, "<1ms"),
        (0.012, "12ms"),
        (0.25, "0.25s"),
        (0.999, "1s"),
        (4.24, "4.2s"),
        (9.99, "10s"),
        (59.7, "1m 0s"),
        (65, "1m 5s"),
        (3600, "1h 0m"),
        (90061, "1d 1h"),
    ],
)
@pytest.mark.slow
def test_durations_are_written_for_people(watched, seconds, text):
    """Two units at most, and never 60 of one."""
    _, page = watched
    assert text == page.call("format.js", "duration", seconds)


@pytest.mark.slow
def test_the_plot_is_told_in_words_and_as_a_table(watched, queue):
    """Who does not see the canvas gets the same figures."""
    _, page = watched
    queue.send({"command": "exit 1"})
    queue.send(json.dumps({"command": "true"}))
    told = "return document.getElementById('plot').getAttribute('aria-label')"
    eventually(lambda: page.script(told).endswith(": 1 succeeded, 1 errored"), deadline=SOON)
    assert ["succeeded", "errored"] == page.texts("#series-head th")[1:3]
    cells = "return [...document.getElementById('series').rows].map((row) => row.innerText)"
    rows = [[int(cell) for cell in row.split("\t")[1:]] for row in page.script(cells)]
    assert 6 == len(rows)
    assert [1, 1, 0, 0, 0, 0] == [sum(column) for column in zip(*rows, strict=True)]


@pytest.mark.slow
def test_it_works_below_a_path_of_another_app(aws, queue, open_page, tmp_path, monkeypatch):
    """The app mounts anywhere, and the page finds its files and its events there."""
    for name, value in aws.env.items():
        monkeypatch.setenv(name, value)
    conf = tmp_path / "conf.toml"
    conf.write_text(toml(settings(aws, queue)))
    below = DispatcherMiddleware(NotFound(), {"/below": create_app(Kicker(Config.load(conf)))})
    server = WSGIServer(("127.0.0.1", 0), below, log=None)
    server.start()
    try:
        page = open_page(f"http://127.0.0.1:{server.server_port}/below/")
        page.shows("#connection", "live")
        page.shows("#queue", queue.name)
        page.shows("#ended-empty", "No job has ended yet")
        assert [] == page.complaints()
    finally:
        server.stop(timeout=1)
