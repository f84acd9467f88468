"""What a kicker tells over HTTP: metrics, the history, events; and to whom."""

import http.client
import json
import re
import socket
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml

from gates import Gate
from kickers import KickerProcess, settings
from waiting import eventually

DOCS = Path(__file__).parents[2] / "docs"
TOKEN = "a-secret-of-the-night"


def ask(
    kicker: KickerProcess, path: str, method: str = "GET", body: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, whatever it is."""
    connection = http.client.HTTPConnection(kicker.url.removeprefix("http://"), timeout=30)
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return told


def told(kicker: KickerProcess, path: str) -> Any:
    """The JSON of an answer."""
    return json.loads(kicker.get(path))


def sample(kicker: KickerProcess, name: str) -> float | None:
    """The value of one series of the metrics, None where there is none."""
    for line in kicker.get("/metrics").decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    return None


def in_memory(aws, queue, **sections: Any) -> dict[str, Any]:
    """A config with locks and job states of the process's own."""
    memory = {"backend": "memory"}
    return settings(aws, queue, locker=memory, throttler=memory, **sections)


def test_metrics_tell_of_every_kind_of_end_and_of_what_happens_now(aws, make_queue, tmp_path, kick):
    """Outcomes with their reasons, gauges, histograms, calls, depth, version."""
    queue = make_queue(max_receive_count=5)
    gate = Gate(tmp_path)
    kicker = kick(in_memory(aws, queue, kicker={"max_concurrent_num": 3}))
    for body in (
        {"command": gate.command, "lock_id": "L", "event_id": "holder"},
        {"command": "true"},
        {"command": "exit 3"},
        {"command": "kill -9 $$"},
        {"command": "sleep 100", "timeout": 1},
        {"command": "true", "life_time": -1},
        {"command": "x" * 200_000},
        "no json",
    ):
        queue.send(body)
    kicker.says("job started", event_id="holder")
    queue.send({"command": "true", "lock_id": "L", "abort_if_locked": True})
    queue.send({"command": "true", "lock_id": "L"})
    for outcome, reason in (
        ("succeeded", "exit"), ("errored", "exit"), ("errored", "signal"), ("errored", "timeout"),
        ("failed", "life_time"), ("failed", "cannot_execute"), ("invalid", "body"),
        ("failed", "locked"),
    ):  # fmt: skip
        name = f'sqsjkr_jobs_total{{outcome="{outcome}",reason="{reason}"}}'
        eventually(lambda name=name: 1.0 == sample(kicker, name), deadline=30)
    eventually(lambda: 1.0 == sample(kicker, "sqsjkr_jobs_waiting"))
    assert (3.0, 1.0, 0.0) == tuple(
        sample(kicker, f"sqsjkr_{name}") for name in ("slots", "jobs_running", "jobs_prefetched")
    )
    assert 4.0 == sample(kicker, "sqsjkr_job_ran_seconds_count")
    assert 5.0 == sample(kicker, "sqsjkr_launch_seconds_count")
    assert 10.0 == sample(kicker, "sqsjkr_message_age_seconds_count")
    calls = 'sqsjkr_api_calls_total{operation="receive_message",result="ok",service="sqs"}'
    assert (sample(kicker, calls) or 0) >= 1
    assert 1.0 == sample(kicker, "sqsjkr_healthy")
    assert 1.0 == sample(kicker, 'sqsjkr_build_info{version="0.1.0"}')
    gate.open()


@pytest.mark.slow
def test_the_depth_of_the_queues_is_asked_for_once_a_minute_and_only_if_somebody_looks(
    aws, make_queue, tmp_path, kick
):
    """Each look is two calls; an error of them says nothing about the health."""
    queue = make_queue(max_receive_count=5)
    assert queue.dead_letters is not None
    queue.dead_letters.send("dead")
    gate = Gate(tmp_path)
    kicker = kick(in_memory(aws, queue, kicker={"max_concurrent_num": 1}))
    for _ in range(3):
        queue.send({"command": gate.command})
    kicker.says("job started")
    calls = 'sqsjkr_api_calls_total{operation="get_queue_attributes",result="ok",service="sqs"}'
    counted = [sample(kicker, calls) for _ in range(5)]
    assert 1.0 == sample(kicker, "sqsjkr_dead_letters")
    visible = 'sqsjkr_queue_messages{state="visible"}'
    in_flight = 'sqsjkr_queue_messages{state="in_flight"}'
    assert 3.0 == (sample(kicker, visible) or 0) + (sample(kicker, in_flight) or 0)
    assert 3.0 == counted[-1] == sample(kicker, calls)  # One at the start, one for each queue.
    gate.open()


def test_the_dashboard_and_the_alerts_name_only_metrics_that_there_are(aws, make_queue, kick):
    """And labels, and values of `state`, as they are told by a kicker of all kinds of ends."""
    queue = make_queue(max_receive_count=5)
    kicker = kick(in_memory(aws, queue)).started()
    for body in ({"command": "true"}, {"command": "false"}, "no json"):
        queue.send(body)
    eventually(lambda: sample(kicker, 'sqsjkr_jobs_total{outcome="invalid",reason="body"}'))
    series = set(re.findall(r"^(sqsjkr_\w+)", kicker.get("/metrics").decode(), re.MULTILINE))
    labels = set(re.findall(r"(\w+)=\"", kicker.get("/metrics").decode()))
    dashboard = json.loads((DOCS / "grafana.json").read_text())
    rules = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"][0]["rules"]
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for rule in rules]
    assert (17, 10) == (len(dashboard["panels"]), len(alerts))
    for expression in panels + alerts:
        named = set(re.findall(r"sqsjkr_\w+", expression))
        assert set() == named - series, expression
        assert named or "up{" in expression
        matched = set(re.findall(r"(\w+)=?[=~!]~?\"", expression)) - {"instance", "job"}
        assert set() == matched - labels, expression
    told_of = {name for expression in panels for name in re.findall(r"sqsjkr_\w+", expression)}
    families = {
        re.sub(r"_(sum|count)$", "_bucket", name) for name in series if "_created" not in name
    }
    assert set() == families - told_of


def test_the_history_is_asked_by_names_outcome_and_time_and_pages(aws, queue, kick):
    """Newest first; a job's own address has its output."""
    kicker = kick(in_memory(aws, queue, kicker={"max_concurrent_num": 1})).started()
    ids = [queue.send({"command": f"echo {n}; exit {n % 2}", "event_id": "e"}) for n in range(5)]
    for job_id in ids:
        kicker.says("job settled", job_id=job_id)
    pages = [told(kicker, "/api/history?limit=2&event_id=e")]
    while pages[-1]["next"] is not None:
        pages.append(told(kicker, f"/api/history?limit=2&event_id=e&before={pages[-1]['next']}"))
    listed = [end for page in pages for end in page["ends"]]
    assert sorted(ids) == sorted(end["job_id"] for end in listed)
    assert listed == sorted(listed, key=lambda end: -end["seq"])
    errored = told(kicker, "/api/history?outcome=errored")["ends"]
    assert ["exit 1"] * 2 == [end["reason"] for end in errored]
    middle = listed[2]["ended_at"]
    assert listed[:3] == told(kicker, f"/api/history?since={middle}")["ends"]
    assert listed[2:] == told(kicker, f"/api/history?until={middle}")["ends"]
    [end] = told(kicker, f"/api/jobs/{ids[3]}")["ends"]
    assert ("3\n", "errored", 1) == (end["output"], end["outcome"], end["exit_status"])
    assert 404 == ask(kicker, "/api/jobs/nobody")[0]


@pytest.mark.slow
def test_long_commands_are_cut_in_lists_and_whole_in_the_answer_about_one_job(
    aws, queue, tmp_path, kick
):
    """A list is told each second, and a command may have 128 KiB."""
    gate = Gate(tmp_path)
    kicker = kick(in_memory(aws, queue)).started()
    command = f"{gate.command}; : {'x' * 50_000}"
    job_id = queue.send({"command": command})
    [running] = eventually(lambda: told(kicker, "/api/state")["running"])
    gate.open()
    kicker.says("job settled", job_id=job_id)
    [listed] = told(kicker, "/api/history")["ends"]
    [whole] = told(kicker, f"/api/jobs/{job_id}")["ends"]
    assert [f"{command[:500]} ..."] * 2 == [running["command"], listed["command"]]
    assert command == whole["command"]


@pytest.mark.parametrize(
    "query", ["outcome=lost", "limit=0", "limit=501", "limit=x", "since=yesterday", "before=1.5"]
)
def test_a_wrong_question_is_told_what_was_expected(kicker_without_jobs, query):
    """400, and the name of what is wrong."""
    status, _, body = ask(kicker_without_jobs, f"/api/history?{query}")
    assert 400 == status
    assert json.loads(body)["error"].startswith(f"{query.partition('=')[0]}: ")


@pytest.fixture
def kicker_without_jobs(aws, queue, kick):
    """A kicker of an empty queue."""
    return kick(in_memory(aws, queue)).started()


@pytest.mark.slow
def test_events_tell_the_state_each_second_and_the_series(aws, queue, tmp_path, kick):
    """A job that starts meanwhile is in the next one."""
    kicker = kick(in_memory(aws, queue)).started()
    gate = Gate(tmp_path)
    connection = http.client.HTTPConnection(kicker.url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/api/events")
    answer = connection.getresponse()
    assert "text/event-stream; charset=utf-8" == answer.getheader("Content-Type")

    def event() -> tuple[str, Any]:
        name = ""
        while True:
            line = answer.readline().decode().strip()
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                return name, json.loads(value)

    assert "series" == event()[0]
    name, state = event()
    assert ("state", 0, []) == (name, state["busy"], state["running"])
    job_id = queue.send({"command": gate.command, "event_id": "seen"})
    while not state["running"]:
        name, state = event()
    [running] = state["running"]
    assert (job_id, "seen", gate.command) == (
        running["job_id"], running["event_id"], running["command"],
    )  # fmt: skip
    gate.open()
    while name != "series" or not state["buckets"]:
        name, state = event()
    assert 1 == sum(bucket["succeeded"] for bucket in state["buckets"])
    connection.close()


def test_a_waiting_job_is_told_with_its_lock_and_who_holds_it(aws, queue, table, tmp_path, kick):
    """Of this process, and of another host: by the name in the table."""
    gate = Gate(tmp_path)
    first = kick(settings(aws, queue, table)).started()
    queue.send({"command": gate.command, "lock_id": "L", "event_id": "holder"})
    first.says("job started")
    [holder] = told(first, "/api/state")["running"]
    queue.send({"command": "true", "lock_id": "L", "event_id": "near"})
    [near] = eventually(lambda: told(first, "/api/state")["waiting_jobs"])
    name = first.says("started")["name"]
    assert ("near", "L", "lock") == (near["event_id"], near["lock_id"], near["for"])
    assert near["holder"].startswith(f"{name}:")
    assert holder["started_at"] <= near["since"]
    other = make_other(aws, kick, table)
    other[1].send({"command": "true", "lock_id": "L", "event_id": "far"})
    [far] = eventually(lambda: told(other[0], "/api/state")["waiting_jobs"])
    assert ("far", True) == (far["event_id"], far["holder"].startswith(f"{name}:"))
    since = far["since"]
    other[0].says("waits for its lock", 4)
    [far] = eventually(lambda: told(other[0], "/api/state")["waiting_jobs"])
    assert since == far["since"]
    gate.open()
    eventually(lambda: [] == told(other[0], "/api/state")["waiting_jobs"])
    other[1].drop()


def make_other(aws, kick, table):
    """A kicker of another queue with the same locks, and the queue."""
    from servers import create_queue

    queue = create_queue(aws)
    return kick(settings(aws, queue, table)).started(), queue


def test_a_token_guards_all_but_the_health_and_the_stats_of_sqsjkr(aws, queue, kick):
    """By a bearer header, or by the form, whose cookie is not the token."""
    kicker = kick(in_memory(aws, queue, kicker={"stats_token": TOKEN})).started()
    for path in ("/healthz", "/stats/metrics", "/stats/metrics/v2"):
        assert 200 == ask(kicker, path)[0]
    guarded = ["/metrics", "/api/state", "/api/events", "/api/series", "/api/history"]
    for path in [*guarded, "/api/jobs/x", "/static/page.js", "/nothing"]:
        status, headers, body = ask(kicker, path)
        assert (401, 'Bearer realm="sqsjkr-gevent"') == (status, headers["www-authenticate"])
        assert TOKEN.encode() not in body
        for wrong in ("Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN):
            assert 401 == ask(kicker, path, Authorization=wrong)[0]
    assert 200 == ask(kicker, "/metrics", Authorization=f"Bearer {TOKEN}")[0]
    status, headers, _ = ask(kicker, "/")
    assert (302, "/login") == (status, headers["location"])
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, headers, body = ask(kicker, "/login", "POST", "token=wrong-one", **form)
    assert (401, False) == (status, "set-cookie" in headers)
    assert b"Wrong token" in body
    assert 413 == ask(kicker, "/login", "POST", "x" * 20_000, **form)[0]
    sent = urllib.parse.urlencode({"token": TOKEN})
    status, headers, _ = ask(kicker, "/login", "POST", sent, **form)
    assert (302, "/") == (status, headers["location"])
    assert TOKEN not in headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(headers["set-cookie"].split("; "))
    cookie = headers["set-cookie"].partition(";")[0]
    assert 200 == ask(kicker, "/", Cookie=cookie)[0]
    assert 200 == ask(kicker, "/api/state", Cookie=cookie)[0]
    assert 401 == ask(kicker, "/api/state", Cookie=cookie[:-1] + "0")[0] or cookie[-1] == "0"
    assert TOKEN not in kicker.log.read_text()


GUARDED = ["/", "/api/state", "/api/history", "/metrics", "/static/page.js", "/nothing"]
FOREIGN = ["evil.example", "127.0.0.1.evil.example:8061", "localhost,evil.example", "a@b", ""]


def test_a_foreign_name_reads_nothing_of_jobs(aws, queue, kick):
    """A page of elsewhere whose name leads to this address is no page of ours."""
    kicker = kick(in_memory(aws, queue)).started()
    for host in FOREIGN:
        for path in [*GUARDED, "/login"]:
            status, headers, body = ask(kicker, path, Host=host)
            assert (421, "application/json") == (status, headers["content-type"]), (host, path)
            assert "kicker.stats_hosts" in json.loads(body)["error"]
        for path in ("/healthz", "/stats/metrics", "/stats/metrics/v2"):
            assert 200 == ask(kicker, path, Host=host)[0]


def test_this_host_is_asked_by_every_name_that_it_has(aws, queue, kick):
    """Its addresses, its own names, and those of the config; case and port are all the same."""
    section = {"stats_host": "localhost", "stats_hosts": ["Kick.example", "kick"]}
    kicker = kick(in_memory(aws, queue, kicker=section)).started()
    own = [socket.gethostname(), socket.getfqdn(), socket.gethostname().upper()]
    named = ["kick.example", "KICK.EXAMPLE.:80", "kick:8061"]
    for host in [
        "127.0.0.1",
        "10.1.2.3:8061",
        "[::1]:8061",
        "[fe80::1]",
        "localhost:1",
        *own,
        *named,
    ]:
        assert 200 == ask(kicker, "/api/state", Host=host)[0], host


def test_whoever_shows_the_token_may_use_any_name(aws, queue, kick):
    """No browser shows it by itself; Prometheus does, by whatever name it knows the host."""
    kicker = kick(in_memory(aws, queue, kicker={"stats_token": TOKEN})).started()
    shown = {"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"}
    assert 200 == ask(kicker, "/metrics", **shown)[0]
    shown["Authorization"] += "x"
    assert 421 == ask(kicker, "/metrics", **shown)[0]
    assert 421 == ask(kicker, "/login", Host="evil.example")[0]
    assert 200 == ask(kicker, "/login")[0]


def test_every_answer_has_a_strict_policy_and_nothing_changes_by_a_request(kicker_without_jobs):
    """No script of elsewhere, no frame; and what is no question is refused."""
    for path in ("/", "/api/state", "/metrics", "/healthz"):
        _, headers, _ = ask(kicker_without_jobs, path)
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert ("nosniff", "no-store") == (
            headers["x-content-type-options"], headers["cache-control"],
        )  # fmt: skip
    for path in ("/", "/api/state", "/api/history", "/metrics", "/healthz", "/stats/metrics"):
        for method in ("POST", "PUT", "DELETE"):
            assert 405 == ask(kicker_without_jobs, path, method)[0]


@pytest.mark.parametrize(
    ("section", "warned"),
    [
        ({"stats_host": "0.0.0.0"}, True),
        ({"stats_host": "::"}, True),
        ({"stats_host": "0.0.0.0", "stats_token": TOKEN}, False),
        ({"stats_host": "127.0.0.1"}, False),
        ({"stats_host": "localhost"}, False),
    ],
)
@pytest.mark.slow
def test_an_address_that_others_reach_without_a_token_is_warned_of(
    aws, queue, kick, section, warned
):
    """At the start, with the key to set."""
    kicker = kick(in_memory(aws, queue, kicker=section)).started()
    lines = [line for line in kicker.lines() if "kicker.stats_token" in line["event"]]
    assert warned == bool(lines)
    assert {"warning"} >= {line["level"] for line in lines}


@pytest.mark.slow
def test_the_history_of_a_file_outlives_the_kicker_and_knows_no_variable(
    aws, queue, tmp_path, kick
):
    """Nor does the log: values of envs are secrets."""
    path = tmp_path / "ends.db"
    config = in_memory(aws, queue, history={"path": str(path)})
    kicker = kick(config).started()
    body = {"command": 'echo out; test -n "$S"', "envs": {"S": "hidden-value"}}
    job_id = queue.send(body)
    kicker.says("job settled", job_id=job_id)
    assert 0 == kicker.stop()
    again = kick(config).started()
    [end] = told(again, f"/api/jobs/{job_id}")["ends"]
    assert ("succeeded", "out\n", 1) == (end["outcome"], end["output"], end["attempt"])
    assert {"succeeded": 0, "failed": 0, "errored": 0} == again.counters()
    assert 0 == again.stop()
    assert b"hidden-value" not in path.read_bytes()
    assert "hidden-value" not in kicker.log.read_text()


def test_a_history_that_cannot_be_kept_ends_the_start_with_the_key(aws, queue, tmp_path, kick):
    """One line, exit code 1."""
    path = tmp_path / "missing" / "ends.db"
    kicker = kick(in_memory(aws, queue, history={"path": str(path)}))
    assert 1 == kicker.wait()
    assert "history.path" in kicker.log.read_text()
    assert "Traceback" not in kicker.log.read_text()


def test_one_grep_tells_the_life_of_a_job(aws, queue, tmp_path, kick):
    """Every line of it has its three names, whichever part wrote it."""
    gate = Gate(tmp_path)
    config = in_memory(
        aws, queue, kicker={"life_time_trigger": "echo told; exit 1"}, sqs={"visibility_timeout": 5}
    )
    kicker = kick(config).started()
    queue.send({"command": gate.command, "lock_id": "L", "event_id": "first"})
    kicker.says("job started")
    job_id = queue.send({"command": "echo no", "lock_id": "L", "event_id": "ev", "life_time": 2})
    kicker.says("job settled", job_id=job_id)
    gate.open()
    kicker.says("job settled", event_id="first")
    events = [line["event"] for line in kicker.lines(job_id=job_id)]
    assert ["waits for its lock", "job failed", "life_time_trigger failed", "job settled"] == events
    names = {"job_id": job_id, "event_id": "ev", "lock_id": "L"}
    assert kicker.lines(job_id=job_id) == kicker.lines(**names)
    assert "told\n" == kicker.lines("life_time_trigger failed")[0]["output"]
    for line in kicker.lines(event_id="first"):
        assert "L" == line["lock_id"]
