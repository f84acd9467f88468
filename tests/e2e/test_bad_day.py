"""What a host does to its kicker on a bad day: no job lost, none beside another, and told."""

import fcntl
import json
import os
import resource
import signal
import time
import urllib.error
import urllib.request

import psutil
import pytest

from jobs import Evidence, processes_of
from kickers import settings
from proxy import Proxy, wait_until
from servers import free_port
from waiting import eventually

LONG = 200.0


def health(url: str) -> tuple[int, dict]:
    """Status and body of /healthz; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def with_port(config: dict) -> tuple[dict, str]:
    """The config with a port that is known before the kicker says so, and its URL."""
    config["kicker"]["stats_port"] = port = free_port()
    return config, f"http://127.0.0.1:{port}"


def test_a_log_on_a_full_disk_costs_neither_a_lock_nor_a_job(aws, queue, table, tmp_path, kick):
    """The line about a start raises after the start: its lock was given up while it ran."""
    evidence = Evidence(tmp_path)
    for number in range(5):
        queue.send(evidence.job(f"j{number}", 0.3, "L"))
    config, url = with_port(settings(aws, queue, table))
    full = os.open("/dev/full", os.O_WRONLY)
    kicker = kick(config, stderr=full)
    os.close(full)
    eventually(queue.is_empty, deadline=LONG)
    assert ({f"j{number}": 1 for number in range(5)}, []) == (evidence.done, evidence.faults())
    assert 200 == health(url)[0]
    assert 0 == kicker.stop()


def test_a_reader_of_the_log_that_stalls_stops_nothing(aws, queue, tmp_path, kick):
    """The hub went on writing to it, and the watcher took the kicker for dead."""
    evidence = Evidence(tmp_path)
    for number in range(40):
        job = evidence.job(f"j{number}", 0.05)
        queue.send(job | {"command": f"head -c 20000 /dev/zero; {job['command']}"})
    config, url = with_port(settings(aws, queue))
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    kicker = kick(config, stderr=writing)
    os.close(writing)
    eventually(queue.is_empty, deadline=LONG)
    assert {f"j{number}": 1 for number in range(40)} == evidence.done
    assert (200, True) == (health(url)[0], health(url)[1]["heartbeat_lag"] < 10)
    assert 0 == kicker.stop()
    os.close(reading)


#: Python finds no directory for temporary files, whatever the host has.
READ_ONLY = """
import tempfile
tempfile._candidate_tempdir_list = list
"""


def test_a_trigger_needs_no_directory_for_its_text(aws, queue, tmp_path, kick):
    """A read-only root without a temporary directory: the claim leaked, and the message with it."""
    (tmp_path / "sitecustomize.py").write_text(READ_ONLY)
    queue.send({"command": "true", "life_time": "1ns"})
    config = settings(aws, queue, kicker={"life_time_trigger": f"cat > {tmp_path}/told"})
    kicker = kick(config, env={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"})
    kicker.says("job failed")
    eventually(queue.is_empty)
    assert "life_time:1ns" in (tmp_path / "told").read_text()
    assert 0 == kicker.stop()


@pytest.mark.queue(visibility_timeout=30)
@pytest.mark.parametrize("operation", ["UpdateItem", "BatchExecuteStatement"])
def test_no_job_starts_on_a_lock_whose_lease_ended_while_its_answer_was_under_way(
    aws, queue, table, tmp_path, kick, operation
):
    """After a standstill another host may have the lock, whatever the late answer says."""
    proxy = Proxy(aws.server.port).start()
    if operation == "UpdateItem":
        proxy.fail("BatchExecuteStatement", "403")
    config = settings(aws, queue, table, locker={"lease": "5s"})
    config["throttler"] = {"backend": "memory"}
    del config["account"]["endpoint_url"]
    kicker = kick(
        config,
        env={"AWS_ENDPOINT_URL_SQS": aws.endpoint_url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url},
    ).started()
    proxy.fail(operation, "late", 1)
    queue.send({"command": "true", "lock_id": "L"})
    eventually(lambda: proxy.failed[operation])
    kicker.send(signal.SIGSTOP)
    wait_until(time.monotonic() + 5.5)
    proxy.heal()
    kicker.send(signal.SIGCONT)
    kicker.says("job returned", reason="lost the lease of its lock")
    assert [] == kicker.lines("job started")
    kicker.says("job succeeded")
    assert 0 == kicker.stop()
    proxy.stop()


def test_a_stop_of_the_whole_unit_loses_no_job(aws, queue, table, tmp_path, kick):
    """systemd signals all processes of a unit; a job that dies by it was deleted as errored."""
    queue.send({"command": f"touch {tmp_path}/begun; sleep 300", "event_id": "plain"})
    queue.send({"command": "sleep 301", "event_id": "direct", "lock_id": "L"})
    kicker = kick(settings(aws, queue, table))
    name = kicker.says("started")["name"]
    kicker.says("job started", 2)
    eventually((tmp_path / "begun").exists)
    for pid in processes_of(name):
        os.kill(pid, signal.SIGTERM)
    for process in psutil.Process(kicker.pid).children():
        process.send_signal(signal.SIGTERM)
    assert 0 == kicker.stop()
    for name in ("plain", "direct"):
        assert 1 == len(kicker.lines("job returned", event_id=name)), name
    assert [] == kicker.lines("job errored") + kicker.lines("the watcher has ended")
    assert 2 == queue.counts()["visible"]
    assert [] == [row for row in table.rows() if "EventId" in row]


def test_a_host_without_threads_returns_jobs_and_says_so_until_it_has_some(
    aws, make_queue, tmp_path, kick
):
    """A limit of memory, of processes: every later start waited for ever, and health said 200."""
    queue = make_queue(max_receive_count=1000)
    kicker = kick(settings(aws, queue, kicker={"max_concurrent_num": 5})).started()
    infinity = resource.RLIM_INFINITY

    def starve() -> bool:
        """Leave it less than the stack of a thread, whatever it has given back meanwhile."""
        size = psutil.Process(kicker.pid).memory_info().vms + 2**21
        resource.prlimit(kicker.pid, resource.RLIMIT_AS, (size, infinity))
        return True

    starve()
    job_id = queue.send({"command": f"touch {tmp_path}/ran"})
    kicker.says("job returned", job_id=job_id)
    eventually(lambda: starve() and health(kicker.url)[0] == 503, deadline=60)
    assert any("host.start_process" in text for text in health(kicker.url)[1]["problems"])
    assert not (tmp_path / "ran").exists()
    resource.prlimit(kicker.pid, resource.RLIMIT_AS, (infinity, infinity))
    kicker.says("job succeeded", job_id=job_id)
    eventually(lambda: health(kicker.url)[0] == 200, deadline=60)
    assert 0 == kicker.stop()


CHECKED = """
import os

class L:
    def lock(self, lock_id, event_id):
        self.check()
    def unlock(self, lock_id): pass
    def check(self):
        if os.path.exists("broken"):
            raise ZeroDivisionError("theirs")
"""


def test_a_store_of_ones_own_whose_check_raises_is_asked_again_and_health_says_so(
    aws, queue, tmp_path, kick
):
    """Its own error ended the probes: nothing was received any more, and all seemed well."""
    (tmp_path / "mine.py").write_text(CHECKED)
    config = settings(aws, queue)
    config["locker"]["backend"] = "mine:L"
    kicker = kick(config, env={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"})
    kicker.started()
    (tmp_path / "broken").touch()
    job_id = queue.send({"command": "true", "lock_id": "L"})
    kicker.says("still failing; no messages are received", 2)
    eventually(lambda: health(kicker.url)[0] == 503, deadline=30)
    assert any("ZeroDivisionError" in text for text in health(kicker.url)[1]["problems"])
    (tmp_path / "broken").unlink()
    kicker.says("job succeeded", job_id=job_id)
    eventually(lambda: health(kicker.url)[0] == 200, deadline=30)
    assert 0 == kicker.stop()


def test_what_a_finished_job_left_running_outlives_a_killed_kicker(aws, queue, tmp_path, kick):
    """As it outlives one that is stopped."""
    pid = tmp_path / "pid"
    kicker = kick(settings(aws, queue))
    name = kicker.says("started")["name"]
    # First, so that the other's place among the live runs is not used again.
    queue.send({"command": "sleep 601", "event_id": "running"})
    kicker.says("job started", event_id="running")
    queue.send({"command": f"sleep 600 >/dev/null 2>&1 & echo $! > {pid}"})
    kicker.says("job succeeded")
    watchers = psutil.Process(kicker.pid).children()
    kicker.send(signal.SIGKILL)
    kicker.wait()
    daemon = int(pid.read_text())
    eventually(lambda: [daemon] == processes_of(name))
    psutil.wait_procs(watchers, timeout=30)
    assert [daemon] == processes_of(name)
    os.kill(daemon, signal.SIGKILL)


def test_jobs_of_a_kicker_killed_together_with_its_watcher_end_with_its_successors_start(
    aws, queue, tmp_path, kick
):
    """They ran on beside their successors for as long as they lasted."""
    env = {"TMPDIR": str(tmp_path)}
    kicker = kick(settings(aws, queue), env=env)
    name = kicker.says("started")["name"]
    queue.send({"command": "sleep 602"})
    kicker.says("job started")
    watchers = psutil.Process(kicker.pid).children()
    kicker.send(signal.SIGSTOP)
    for process in [*(p for p in watchers if "watcher.py" in str(p.cmdline())), kicker.process]:
        process.kill()
    kicker.wait()
    assert 1 == len(processes_of(name))
    kick(settings(aws, queue), env=env)
    eventually(lambda: [] == processes_of(name), deadline=30)
