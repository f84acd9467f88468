"""Several kickers under gunicorn: one answer, no job lost or doubled, whoever dies or reloads."""

import json
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from gates import Gate
from jobs import Evidence, processes_of
from kickers import DEADLINE, KickerProcess, settings, toml
from servers import ROOT
from sqsjkr_gevent.signals import STRAY
from waiting import eventually

#: Seconds: what a killed worker held comes back after so long.
LEASE = 5

#: Signals that stop a fleet as SIGTERM does.
SLOW_STOPS = [
    pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGQUIT)
]

#: Seconds for all jobs to be done, on a loaded machine.
LONG = 240.0


def fleet_config(aws, queue, table, **sections: dict[str, Any]) -> dict[str, Any]:
    """A config with short leases."""
    sections["sqs"] = {"visibility_timeout": LEASE, **sections.get("sqs", {})}
    sections["locker"] = {"lease": LEASE, **sections.get("locker", {})}
    sections["kicker"] = {"max_concurrent_num": 8, **sections.get("kicker", {})}
    return settings(aws, queue, table, **sections)


def fleet(kick, config: dict[str, Any], processes: int, **options: Any) -> KickerProcess:
    """A fleet of which every kicker receives."""
    master = kick(config, arguments=("--processes", str(processes)), **options)
    master.says("started", processes)
    return master


def workers(master: KickerProcess) -> list[psutil.Process]:
    """The living worker processes."""
    found = []
    for child in psutil.Process(master.pid).children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def state(master: KickerProcess) -> dict[str, Any]:
    """What the fleet says of itself."""
    told: dict[str, Any] = json.loads(master.get("/api/state"))
    return told


def all_ends(master: KickerProcess) -> list[dict[str, Any]]:
    """The whole history, page by page."""
    ends: list[dict[str, Any]] = []
    before = ""
    while True:
        page = json.loads(master.get(f"/api/history?limit=500{before}"))
        ends += page["ends"]
        if page["next"] is None:
            return ends
        before = f"&before={page['next']}"


def counted(ends: list[dict[str, Any]]) -> dict[str, int]:
    """The ends as sqsjkr counts them."""
    found = Counter(end["outcome"] for end in ends)
    return {outcome: found[outcome] for outcome in ("succeeded", "failed", "errored")}


@pytest.mark.queue(visibility_timeout=LEASE)
@pytest.mark.parametrize("jobs", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_kill_a_reload_and_a_stop_of_a_worker_lose_and_double_nothing(
    aws, queue, table, tmp_path, kick, jobs, open_page
):
    """Four processes; every effect is there, and the counters are the ends in the history.

    The page is open all the while, and tells the same in the end, without a reload.
    """
    evidence = Evidence(tmp_path)
    names = [f"j{number}" for number in range(jobs)]
    config = fleet_config(
        aws, queue, table, kicker={"max_concurrent_num": 12}, history={"path": "ends.db"}
    )
    master = fleet(kick, config, 4)
    page = open_page(master.url)
    page.shows("#slots", "/ 12")
    page.script("window.opened = true")
    for number, name in enumerate(names):
        lock = f"L{number % 50}" if number % 5 == 0 else None
        queue.send(evidence.job(name, 0.05, lock))
    eventually(lambda: sum(evidence.done.values()) > jobs // 8, deadline=LONG)
    random.choice(workers(master)).send_signal(signal.SIGKILL)
    eventually(lambda: sum(evidence.done.values()) > jobs // 4, deadline=LONG)
    old = {worker.pid for worker in workers(master)}
    master.send(signal.SIGHUP)

    def replaced() -> bool:
        running = [p["pid"] for p in state(master)["processes"] if p["state"] == "running"]
        return len(running) == 4 and old.isdisjoint(running)

    eventually(replaced, deadline=LONG)
    random.choice(workers(master)).send_signal(signal.SIGTERM)
    eventually(lambda: set(names) == set(evidence.done), deadline=LONG)
    eventually(queue.is_empty, deadline=LONG)
    assert [] == evidence.faults()
    eventually(lambda: 4 == len(workers(master)), deadline=LONG)
    eventually(lambda: master.counters() == counted(all_ends(master)), deadline=LONG)
    total = f"{master.counters()['succeeded']:,}"
    eventually(lambda: total in " ".join(page.texts("#totals tr:first-child")), deadline=LONG)
    page.shows("#slots", "0 / 12")
    page.shows("#health", "healthy")
    page.shows("#connection", "live")
    assert page.script("return window.opened")
    assert [] == [text for text in page.complaints() if "net::ERR" not in text]
    assert set(names) == {
        end["event_id"] for end in all_ends(master) if end["outcome"] == "succeeded"
    }
    assert 0 == master.stop()
    with sqlite3.connect(tmp_path / "ends.db") as connection:
        ends = connection.execute("SELECT outcome, COUNT(*) FROM ends GROUP BY 1").fetchall()
        assert sorted(ends) == sorted(connection.execute("SELECT outcome, ends FROM totals"))
    kickers = [line["name"] for line in master.lines("started")]
    assert [] == [pid for name in kickers for pid in processes_of(name)]


def test_whichever_process_is_asked_the_answer_is_of_all(aws, queue, tmp_path, kick):
    """Slots, running jobs, counters and metrics; the slots are shared out to the last one."""
    go = tmp_path / "go"
    master = fleet(kick, fleet_config(aws, queue, None, kicker={"max_concurrent_num": 7}), 3)
    assert [2, 2, 3] == sorted(process["slots"] for process in state(master)["processes"])
    ids = {queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done"}) for _ in range(7)}
    eventually(lambda: 7 == state(master)["busy"])
    for _ in range(10):
        told = state(master)
        assert ids == {job["job_id"] for job in told["running"]}
        assert {process["pid"] for process in told["processes"]} == {
            worker.pid for worker in workers(master)
        }
        assert b'{"idle_worker":0,"busy_worker":7}\n' == master.get("/stats/metrics")
        assert b"sqsjkr_jobs_running 7.0\n" in master.get("/metrics")
    go.touch()
    succeeded = {"succeeded": 7, "failed": 0, "errored": 0}
    eventually(lambda: succeeded == master.counters())
    for _ in range(10):
        assert succeeded == master.counters()
        assert b'{outcome="succeeded",reason="exit"} 7.0\n' in master.get("/metrics")
        assert succeeded == counted(all_ends(master))


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_its_jobs_run_again(
    aws, make_queue, tmp_path, kick
):
    """Its processes end at once; what it has counted stays counted."""
    queue = make_queue(visibility_timeout=LEASE)
    config = fleet_config(aws, queue, None, kicker={"max_concurrent_num": 2})
    config["throttler"] = {"backend": "sqlite", "table": str(tmp_path / "t.db")}
    master = fleet(kick, config, 2)
    queue.send({"command": "true"})
    eventually(lambda: 1 == master.counters()["succeeded"])
    go = tmp_path / "go"
    queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done; echo over"})
    [job] = eventually(lambda: state(master)["running"])
    psutil.Process(job["process"]).send_signal(signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(job["pid"]))
    eventually(lambda: [1, 1] == [p["slots"] for p in state(master)["processes"]], deadline=30)
    go.touch()
    eventually(lambda: 2 == master.counters()["succeeded"], deadline=60)
    assert ["over\n"] == [
        end["output"] for end in json.loads(master.get(f"/api/jobs/{job['job_id']}"))["ends"]
    ]
    assert b'sqsjkr_jobs_total{outcome="succeeded",reason="exit"} 2.0\n' in master.get("/metrics")


def test_a_hangup_reads_the_config_again_and_a_wrong_one_is_refused(aws, queue, tmp_path, kick):
    """The fleet goes on with what it has; the next right one is taken."""
    config = fleet_config(aws, queue, None)
    master = fleet(kick, config, 2)
    file = tmp_path / "kicker-0.toml"
    file.write_text(toml(config) + "\n[nonsense]\n")
    master.send(signal.SIGHUP)
    eventually(lambda: "unknown section [nonsense]" in master.log.read_text())
    master.says("started", 4)
    assert 8 == state(master)["slots"]
    config["kicker"]["max_concurrent_num"] = 5
    file.write_text(toml(config))
    master.send(signal.SIGHUP)
    master.says("started", 6)
    eventually(lambda: 5 == state(master)["slots"])
    eventually(lambda: 2 == len(workers(master)))
    assert 0 == master.stop()


def test_a_reload_lets_running_jobs_end(aws, queue, tmp_path, kick):
    """The new processes receive meanwhile; no job is repeated."""
    go = tmp_path / "go"
    master = fleet(kick, fleet_config(aws, queue, None), 2)
    first = queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done; echo first"})
    eventually(lambda: 1 == state(master)["busy"])
    master.send(signal.SIGHUP)
    master.says("started", 4)
    second = queue.send({"command": "echo second"})
    master.says("job succeeded", job_id=second)
    go.touch()
    master.says("job succeeded", job_id=first)
    eventually(lambda: 2 == len(workers(master)))
    assert {"succeeded": 2, "failed": 0, "errored": 0} == master.counters()
    assert 2 == len(master.lines("job started"))


@pytest.mark.parametrize("number", [signal.SIGTERM, *SLOW_STOPS])
def test_a_stop_lets_running_jobs_end_and_returns_the_rest(aws, queue, tmp_path, kick, number):
    """Exit code 0; also where a long answer is being streamed."""
    go = tmp_path / "go"
    config = fleet_config(aws, queue, None, kicker={"max_concurrent_num": 2})
    master = fleet(kick, config, 2)
    ids = {queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done"}) for _ in range(2)}
    eventually(lambda: 2 == state(master)["busy"])
    waiting = queue.send({"command": "true"})
    host, port = master.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as stream:
        stream.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"event-stream" in stream.recv(4096)
        master.send(number)
        master.says("draining", 2)
        go.touch()
        assert 0 == master.wait()
    assert ids == {line["job_id"] for line in master.lines("job succeeded")}
    [left] = eventually(queue.receive)
    assert waiting == left["MessageId"]


def test_signals_that_ask_for_nothing_leave_a_fleet_and_its_jobs_alone(aws, queue, tmp_path, kick):
    """To the master as to each of its processes; SIGUSR1 to the master is gunicorn's."""
    master = fleet(kick, fleet_config(aws, queue, None, kicker={"max_concurrent_num": 2}), 2)
    gates = [Gate(tmp_path, name) for name in "ab"]
    ids = {queue.send({"command": gate.command}) for gate in gates}
    eventually(lambda: 2 == state(master)["busy"])
    pids = [worker.pid for worker in workers(master)]
    for number in STRAY:
        for pid in pids:
            os.kill(pid, number)
        if number != signal.SIGUSR2:
            master.send(number)
    master.send(signal.SIGHUP)
    master.says("started", 4)
    for gate in gates:
        gate.open()
    eventually(lambda: ids == {line["job_id"] for line in master.lines("job succeeded")})
    assert 2 == len(master.lines("job started"))
    assert 0 == master.stop()


def test_workers_whose_master_was_killed_drain_and_end(aws, queue, kick):
    """They must not receive for ever with nobody to stop them."""
    master = fleet(kick, fleet_config(aws, queue, None), 2)
    orphans = workers(master)
    master.send(signal.SIGKILL)
    gone, alive = psutil.wait_procs(orphans, timeout=DEADLINE)
    assert (2, []) == (len(gone), alive)
    assert 2 == len(master.lines("stopped"))


@pytest.mark.slow
def test_a_process_that_stands_still_is_named_by_the_health(aws, queue, kick):
    """Whichever process is asked, but that one."""
    config = fleet_config(aws, queue, None)
    master = fleet(kick, config, 2)
    first, _ = workers(master)
    # Asked over and over, the kernel gives the question to whoever is awake.
    first.send_signal(signal.SIGSTOP)
    try:

        def silent() -> bool:
            try:
                master.get("/healthz")
            except urllib.error.HTTPError as answer:
                return any("does not answer" in text for text in json.load(answer)["problems"])
            except OSError:
                pass
            return False

        eventually(silent, deadline=30)
    finally:
        first.send_signal(signal.SIGCONT)
    eventually(lambda: "ok" == json.loads(master.get("/healthz"))["status"], deadline=30)


@pytest.mark.parametrize(
    ("change", "arguments", "code", "said"),
    [
        ({"kicker": {"max_concurrent_num": 2}}, ("--processes", "3"), 2, "less than one slot"),
        ({"kicker": {"max_concurent_num": 2}}, ("--processes", "3"), 2, "unknown key"),
        ({"sqs": {"queue_name": "no-such"}}, ("--processes", "2"), 1, "sqsjkr-gevent init"),
        ({}, ("--processes", "0"), 2, "--processes"),
        ({}, ("--processes", "2", "check"), 2, "--processes is only for the kicker"),
    ],
)
def test_what_keeps_a_fleet_from_starting_is_one_line_and_an_exit_code(
    aws, queue, kick, tmp_path, change, arguments, code, said
):
    """As of a single kicker: 1 for a failure, 2 for usage and config. Nothing is left behind."""
    config = settings(aws, queue, None, **change)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    master = kick(config, arguments=arguments, env={"TMPDIR": str(temporary)})
    assert code == master.wait()
    assert [] == list(temporary.iterdir())
    assert said in master.log.read_text()
    assert "Traceback" not in master.log.read_text()


def test_a_fleet_may_have_a_temporary_directory_with_a_long_path(aws, queue, kick, tmp_path):
    """The kernel takes 107 bytes of a socket's path; a build's or a user's directory has more."""
    long = tmp_path / ("d" * 100) / ("e" * 100)
    long.mkdir(parents=True)
    master = fleet(kick, fleet_config(aws, queue, None), 2, env={"TMPDIR": str(long)})
    pids = {worker.pid for worker in workers(master)}
    eventually(lambda: pids == {process["pid"] for process in state(master)["processes"]})
    assert 2 == len(pids)
    assert ["running"] * 2 == [process["state"] for process in state(master)["processes"]]
    assert 0 == master.stop()
    assert [] == list(long.iterdir())


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        (resource.RLIMIT_FSIZE, 0, "No usable temporary directory"),
        (resource.RLIMIT_FSIZE, 4096, "no room for the values of metrics"),
        (resource.RLIMIT_NOFILE, 12, "Too many open files"),
        (resource.RLIMIT_NOFILE, 16, "Too many open files"),
    ],
    ids=str,
)
def test_a_host_without_room_for_a_fleet_is_told_in_a_line(
    aws, queue, tmp_path, limit, value, said
):
    """Files that may not grow are a full disk; exit code 1, and nothing is left behind."""
    conf, temporary = tmp_path / "conf.toml", tmp_path / "tmp"
    conf.write_text(toml(fleet_config(aws, queue, None)))
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "sqsjkr_gevent", "-c", str(conf), "--processes", "2"],
        env={**os.environ, **aws.env, "TMPDIR": str(temporary)},
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE,
        preexec_fn=lambda: resource.setrlimit(limit, (value, value)),
    )  # fmt: skip
    assert (1, "") == (done.returncode, done.stdout)
    lines = [line for line in done.stderr.splitlines() if said in line]
    assert 1 <= len(lines) <= 2  # Of one master, or of two processes.
    assert limit != resource.RLIMIT_FSIZE or all("TMPDIR" in line for line in lines)
    assert "Traceback" not in done.stderr
    assert [] == list(temporary.iterdir())


@pytest.mark.slow
def test_a_fleet_that_is_up_outlives_a_host_without_descriptors(aws, queue, kick):
    """A process that dies meanwhile is replaced once there are some; the others work on."""
    master = fleet(kick, fleet_config(aws, queue, None), 2)
    process = psutil.Process(master.pid)
    before = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (3, before[1]))
    workers(master)[0].kill()
    eventually(lambda: "cannot make a process" in master.log.read_text(), deadline=LONG)
    job_id = queue.send({"command": "true"})
    master.says("job succeeded", job_id=job_id)
    process.rlimit(psutil.RLIMIT_NOFILE, before)
    master.says("started", 3, deadline=LONG)
    assert "Traceback" not in master.log.read_text()
    assert 0 == master.stop()


@pytest.mark.slow
def test_workers_that_die_at_once_are_replaced_in_peace(aws, queue, kick):
    """Without descriptors libev aborts the process: nothing there could say so, or wait."""
    config = fleet_config(aws, queue, None)
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))  # noqa: E731
    began = time.monotonic()
    master = kick(config, arguments=("--processes", "2"), preexec_fn=limit)
    eventually(lambda: master.log.read_text().count("Booting worker") >= 6, deadline=LONG)
    assert time.monotonic() - began > 2 * 5.0
    assert 0 == master.stop()


def test_workers_that_fail_together_end_the_master_once(aws, queue, kick):
    """It finds both dead at one look, as on a host that is busy, and says no more than why."""
    config = settings(aws, queue, None, sqs={"queue_name": "no-such"})
    master = kick(config, arguments=("--processes", "2"))
    eventually(lambda: 2 == master.log.read_text().count("Booting worker"), deadline=DEADLINE)
    master.send(signal.SIGSTOP)
    eventually(lambda: 2 == master.log.read_text().count("Worker exiting"), deadline=DEADLINE)
    eventually(lambda: [] == workers(master))
    master.send(signal.SIGCONT)
    assert 1 == master.wait()
    assert "Traceback" not in master.log.read_text()


@pytest.mark.slow
def test_options_of_the_command_line_hold_for_all_processes_and_after_a_reload(
    aws, queue, kick, tmp_path
):
    """sqsjkr's one-dash spelling behind --processes too."""
    config = fleet_config(aws, queue, None)
    del config["kicker"]["stats_port"]
    path = tmp_path / "s.sock"
    master = kick(config, arguments=("--processes", "2", "-stats-socket", str(path)))
    master.says("started", 2)
    assert path.is_socket()
    assert 0 == path.stat().st_mode & 0o022
    master.send(signal.SIGHUP)
    master.says("started", 4)
    assert {str(path)} == {line["address"] for line in master.lines("stats")}
    assert 0 == master.stop()
    assert not path.exists()


@pytest.mark.slow
def test_jobs_see_nothing_of_the_fleet(aws, queue, kick):
    """Whoever has metrics of his own in his jobs must not write into ours."""
    master = fleet(kick, fleet_config(aws, queue, None), 2)
    job_id = queue.send({"command": "env"})
    output = master.says("job succeeded", job_id=job_id)["output"]
    assert "SQSJKR_JOB_ID" in output
    for name in ("PROMETHEUS", "SQSJKR_OVERRIDES", "SQSJKR_PROCESSES"):
        assert name not in output


@pytest.mark.slow
def test_gunicorn_runs_it_by_the_conf_file_of_the_repository(aws, queue, tmp_path):
    """SQSJKR_CONF names the config, -w the number; nothing was patched too late."""
    conf = tmp_path / "conf.toml"
    conf.write_text(toml(fleet_config(aws, queue, None)))
    log = tmp_path / "log"
    with log.open("wb") as output:
        master = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-w", "2"],
            env={**os.environ, **aws.env, "SQSJKR_CONF": str(conf)},
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: 2 == log.read_text().count('"event": "started"'), deadline=DEADLINE)
        master.send_signal(signal.SIGTERM)
        assert 0 == master.wait(DEADLINE)
    finally:
        master.kill()
        master.wait()
    assert "Monkey" not in log.read_text()
    assert 2 == log.read_text().count('"event": "stopped"')


def test_gunicorn_without_a_config_is_told_to_name_one(tmp_path):
    """One line, exit code 2."""
    environ = {name: value for name, value in os.environ.items() if name != "SQSJKR_CONF"}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")],
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert (2, "sqsjkr-gevent: set SQSJKR_CONF to the path of the config file\n") == (
        done.returncode, done.stderr,
    )  # fmt: skip


@pytest.mark.slow
def test_a_second_ctrl_c_skips_the_wait(aws, queue, kick):
    """As of a single kicker: to the whole group, as a terminal sends it."""
    config = fleet_config(aws, queue, None, kicker={"max_concurrent_num": 2})
    master = kick(config, arguments=("--processes", "2"), start_new_session=True)
    master.says("started", 2)
    job_id = queue.send({"command": "sleep 1000"})
    master.says("job started", job_id=job_id)
    os.killpg(master.pid, signal.SIGINT)
    master.says("draining", 2)

    def pressed_again() -> bool:
        if master.process.poll() is not None:
            return True
        os.killpg(master.pid, signal.SIGINT)
        return bool(master.lines("job returned"))

    began = time.monotonic()
    eventually(pressed_again, deadline=15, every=0.5)
    assert 0 == master.wait(15)
    assert time.monotonic() - began < 15
    assert Path(f"/proc/{master.pid}").exists() is False


LOCKER = """
import time
from prometheus_client import Counter
locks = Counter("mine", "Locks of mine.", ["lock"])

class L:
    def lock(self, lock_id, event_id):
        locks.labels(lock_id).inc()
        while lock_id == "stuck": pass
    def unlock(self, lock_id): pass
"""


@pytest.fixture
def own_locker(aws, make_queue, tmp_path, kick):
    """A fleet of two with a locker of its own, and its queue."""
    (tmp_path / "mine.py").write_text(LOCKER)
    queue = make_queue(visibility_timeout=120)
    # Longer than a worker stands still: the other one must not get the same job meanwhile.
    config = fleet_config(aws, queue, None, sqs={"visibility_timeout": 120})
    config["locker"]["backend"] = "mine:L"
    master = fleet(kick, config, 2, env={"PYTHONPATH": str(tmp_path)})
    yield master, queue
    for worker in workers(master):
        worker.kill()  # One that stands still would outlive its master, and turn for ever.


@pytest.mark.slow
def test_a_locker_of_ones_own_may_have_metrics_of_its_own(own_locker):
    """They are not ours to show, and make no difference to ours."""
    master, queue = own_locker
    queue.send({"command": "true", "lock_id": "L"})
    eventually(lambda: 1 == master.counters()["succeeded"])
    metrics = master.get("/metrics").decode()
    assert 'sqsjkr_jobs_total{outcome="succeeded",reason="exit"} 1.0' in metrics
    assert "mine" not in metrics


@pytest.mark.slow
def test_a_worker_whose_hub_stands_still_is_replaced(own_locker):
    """By the master, after half a minute, from its first second on; the others work meanwhile."""
    master, queue = own_locker
    queue.send({"command": "true", "lock_id": "stuck"})
    eventually(lambda: "WORKER TIMEOUT" in master.log.read_text(), deadline=LONG)
    master.says("started", 3, deadline=LONG)
    assert None is master.process.poll()
    done = queue.send({"command": "true", "lock_id": "fine"})
    master.says("job succeeded", job_id=done, deadline=LONG)


@pytest.mark.slow
def test_a_fleet_whose_new_workers_cannot_be_made_goes_on_trying(aws, queue, kick, tmp_path):
    """What no look at the file could tell, as a profile that is not there; and it recovers."""
    config = fleet_config(aws, queue, None)
    master = fleet(kick, config, 2)
    file = tmp_path / "kicker-0.toml"
    right = file.read_text()
    file.write_text(right.replace("[account]", '[account]\nprofile = "nobody"'))
    master.send(signal.SIGHUP)
    eventually(lambda: "cannot make the kicker" in master.log.read_text(), deadline=30)
    assert "Traceback" not in master.log.read_text()
    file.write_text(right)
    master.send(signal.SIGHUP)
    master.says("started", 4, deadline=LONG)
    job_id = queue.send({"command": "true"})
    master.says("job succeeded", job_id=job_id)
    assert 0 == master.stop()


def test_a_stop_that_comes_while_workers_start_is_a_clean_one(aws, queue, kick):
    """Whoever stops a fleet that was just started sees no traceback."""
    master = kick(fleet_config(aws, queue, None), arguments=("--processes", "2"))
    eventually(lambda: "Booting worker" in master.log.read_text(), deadline=DEADLINE)
    assert 0 == master.stop()
    assert "Traceback" not in master.log.read_text()


@pytest.mark.slow
def test_a_reload_with_too_few_slots_and_another_master_are_refused(aws, queue, kick, tmp_path):
    """The slots would be more than asked for, and the options of the command line be lost."""
    config = fleet_config(aws, queue, None)
    master = fleet(kick, config, 3)
    config["kicker"]["max_concurrent_num"] = 2
    (tmp_path / "kicker-0.toml").write_text(toml(config))
    master.send(signal.SIGHUP)
    eventually(lambda: "less than one slot for each of 3 processes" in master.log.read_text())
    master.says("started", 6)
    eventually(lambda: 8 == state(master)["slots"])
    master.send(signal.SIGUSR2)
    eventually(lambda: "SIGUSR2: start another master by hand" in master.log.read_text())
    eventually(lambda: 3 == len(workers(master)))
    assert 0 == master.stop()
