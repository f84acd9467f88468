"""The package as a library: programs that make a Kicker themselves, each a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import sqsjkr_gevent
from kickers import DEADLINE

#: What every program begins with; `conf(queue_name, **more)` is its config.
HEAD = """
from gevent import monkey; monkey.patch_all()
import json, os, signal, sys, urllib.request
import gevent
from sqsjkr_gevent import AlreadyLocked, Config, DuplicatedMessage, Kicker
from sqsjkr_gevent.job import Outcome

def conf(queue_name, **more):
    return Config.new(
        account_id=os.environ["ACCOUNT_ID"], region=os.environ["AWS_REGION"],
        queue_name=queue_name, wait_time=1, stats_port="any", max_concurrent_num=5, **more)

def stop_after(kicker, number):
    while kicker.stats[Outcome.SUCCEEDED] < number:
        gevent.sleep(0.02)
    kicker.stop()
"""

#: Stores of users' own, which say what they are asked.
STORES = """
class MyLocker:
    def lock(self, lock_id, event_id): print("lock", lock_id, event_id)
    def unlock(self, lock_id): print("unlock", lock_id)

class MyThrottler:
    def __init__(self): self.seen = set()
    def set(self, job_id):
        print("set", job_id)
        if job_id in self.seen: raise DuplicatedMessage(job_id)
        self.seen.add(job_id)
    def unset(self, job_id): print("unset", job_id)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(aws, tmp_path: Path) -> Run:
    """Run a program with arguments to its end."""

    def run(source: str, *arguments: Any, head: str = HEAD) -> "subprocess.CompletedProcess[str]":
        file = tmp_path / "program.py"
        file.write_text(head + source)
        return subprocess.run(
            [sys.executable, str(file), *map(str, arguments)],
            env={**os.environ, **aws.env, "ACCOUNT_ID": aws.account_id},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    return run


def lines(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """What the program printed; it must have ended well."""
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("way", ["arguments", "setters"])
def test_a_kicker_with_stores_of_ones_own_runs_until_it_is_stopped(queue, run, way):
    """The program of the README; stop() comes from another greenlet, and run() returns."""
    job_id = queue.send({"command": "true", "lock_id": "L", "event_id": "ev"})
    made = {
        "arguments": "kicker = Kicker(c, locker=MyLocker(), throttler=MyThrottler())",
        "setters": "kicker = Kicker(c)\n"
        "kicker.set_locker(MyLocker())\n"
        "kicker.set_throttler(MyThrottler())",
    }
    program = f"""
c = conf(sys.argv[1], life_time_trigger="echo trigger")
{made[way]}
gevent.spawn(stop_after, kicker, 1)
kicker.run(log_level="debug")
print("returned")
"""
    done = run(STORES + program, queue.name)
    assert [f"set {job_id}", "lock L ev", "unlock L", "returned"] == lines(done)
    assert "job succeeded" in done.stderr
    assert queue.is_empty()


def test_what_a_throttler_of_ones_own_has_seen_is_deleted_unrun(queue, run, tmp_path):
    """DuplicatedMessage is all that it has to raise."""
    queue.send({"command": f"touch {tmp_path}/ran"})
    program = """
class Seen:
    def set(self, job_id): raise DuplicatedMessage("seen")
    def unset(self, job_id): print("unset")

kicker = Kicker(conf(sys.argv[1], locker_backend="none"), throttler=Seen())

def stop():
    while not kicker.stats[Outcome.DUPLICATE]:
        gevent.sleep(0.02)
    kicker.stop()

gevent.spawn(stop)
kicker.run()
"""
    assert [] == [line for line in lines(run(program, queue.name)) if line == "unset"]
    assert queue.is_empty()
    assert not (tmp_path / "ran").exists()


def test_stop_from_another_greenlet_lets_a_running_job_end(queue, run, tmp_path):
    """And returns what has not started; run() returns after both."""
    first = f"touch {tmp_path}/began; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    queue.send({"command": f"{first}; touch {tmp_path}/done", "lock_id": "L"})
    program = """
from pathlib import Path
kicker = Kicker(conf(sys.argv[1], locker_backend="memory", throttler_backend="memory"))

def stop():
    while not Path(sys.argv[2], "began").exists():
        gevent.sleep(0.02)
    kicker.stop()
    gevent.sleep(0)
    Path(sys.argv[2], "go").touch()

gevent.spawn(stop)
kicker.run()
print("succeeded", kicker.stats[Outcome.SUCCEEDED], "busy", kicker.busy)
"""
    assert "succeeded 1 busy 0" == lines(run(program, queue.name, tmp_path))[-1]
    assert (tmp_path / "done").exists()
    assert queue.is_empty()


def test_two_kickers_of_one_process_share_their_memory_of_locks(make_queue, run, tmp_path):
    """Jobs of one lock_id in two queues never overlap, and both queues are worked off."""
    queues = [make_queue(), make_queue()]
    stamp = "date +%s.%N"
    for number in range(10):
        file = tmp_path / f"job-{number}"
        command = f"{stamp} > {file}; sleep 0.05; {stamp} >> {file}"
        queues[number % 2].send({"command": command, "lock_id": "L"})
    program = """
stores = {"locker_backend": "memory", "throttler_backend": "memory", "retry_interval": "50ms"}
kickers = [Kicker(conf(name, **stores)) for name in sys.argv[1:]]
running = [gevent.spawn(kicker.run, handle_signals=False) for kicker in kickers]
for kicker in kickers:
    gevent.spawn(stop_after, kicker, 5)
gevent.joinall(running, raise_error=True)
print([kicker.stats[Outcome.SUCCEEDED] for kicker in kickers])
"""
    done = run(program, *[queue.name for queue in queues])
    assert "[5, 5]" == lines(done)[-1]
    spans = sorted(
        tuple(map(float, (tmp_path / f"job-{number}").read_text().split())) for number in range(10)
    )
    assert [] == [(a, b) for a, b in pairwise(spans) if a[1] > b[0]]


def test_kickers_of_one_process_are_stopped_one_by_one(make_queue, run):
    """The other one works on."""
    queues = [make_queue(), make_queue()]
    program = """
one, other = [Kicker(conf(name, locker_backend="none", throttler_backend="none"))
              for name in sys.argv[1:]]
running_one = gevent.spawn(one.run, handle_signals=False)
running_other = gevent.spawn(other.run, handle_signals=False)
one.stop()
running_one.get()
import boto3
sqs = boto3.client("sqs")
url = sqs.get_queue_url(QueueName=sys.argv[2])["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody='{"command": "true"}')
stop_after(other, 1)
running_other.get()
print("both have returned")
"""
    done = run(program, *[queue.name for queue in queues])
    assert "both have returned" == lines(done)[-1]


def test_an_unpatched_process_is_told_its_first_line(run):
    """One clear error instead of a hub that stands still."""
    program = """
from sqsjkr_gevent import Config, Kicker, SqsjkrError
conf = Config.new(account_id="123456789012", region="us-east-1", queue_name="jobs")
try:
    Kicker(conf)
except SqsjkrError as error:
    print(error)
"""
    [said] = lines(run(program, head=""))
    assert "from gevent import monkey; monkey.patch_all()" in said
    assert "first line" in said


def test_importing_the_package_patches_nothing(run):
    """Every module but the two that are programs; and nothing is started or logged either."""
    program = """
import json, pkgutil, sys, threading
import sqsjkr_gevent
import importlib
programs = {"sqsjkr_gevent.__main__", "sqsjkr_gevent.local.server"}
for module in pkgutil.walk_packages(sqsjkr_gevent.__path__, "sqsjkr_gevent."):
    if module.name not in programs:
        importlib.import_module(module.name)
from gevent import monkey
print(json.dumps([sorted(monkey.saved), threading.active_count()]))
"""
    done = run(program, head="")
    assert [[[], 1]] == [json.loads(line) for line in lines(done)]
    assert "" == done.stderr


def test_the_plain_import_loads_neither_gevent_nor_boto3(run):
    """So that a program's patch comes first whatever it imports before."""
    program = """
import sys
import sqsjkr_gevent
print(sorted({"gevent", "boto3", "botocore", "ssl", "flask"} & sys.modules.keys()))
"""
    assert ["[]"] == lines(run(program, head=""))


def test_a_kicker_loads_nothing_that_only_other_settings_need(run):
    """Each megabyte counts where many kickers share a small host."""
    program = """
from gevent import monkey; monkey.patch_all()
import sys
from sqsjkr_gevent import Config, Kicker
conf = Config.new(account_id="123456789012", region="us-east-1", queue_name="jobs")
Kicker(conf)
print(sorted({"sqlite3", "gunicorn", "redis", "moto"} & sys.modules.keys()))
"""
    assert ["[]"] == lines(run(program, head=""))


def test_a_kicker_loads_no_tables_and_colours(run):
    """They are for commands that people read, and took a tenth of an idle kicker's memory."""
    program = """
import sys
import sqsjkr_gevent.__main__
from sqsjkr_gevent import Config, Kicker
from sqsjkr_gevent.log import configure
configure("info", "text")
Kicker(Config.new(account_id="123456789012", region="us-east-1", queue_name="q"))
print(sorted({"rich", "pygments", "asyncio"} & sys.modules.keys()))
"""
    assert ["[]"] == lines(run(program, head=""))


def test_without_a_log_of_its_own_a_kicker_logs_to_that_of_the_program(queue, run):
    """The program's handlers, levels and formats decide, by the names of the loggers."""
    job_id = queue.send({"command": "true", "event_id": "nightly"})
    program = """
import logging
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(name)s|%(message)s|%(filename)s")
kicker = Kicker(conf(sys.argv[1], locker_backend="none", throttler_backend="none"))
gevent.spawn(stop_after, kicker, 1)
kicker.run()
"""
    [started] = [line for line in lines(run(program, queue.name)) if "job started" in line]
    name, text, file = started.split("|")
    assert ("sqsjkr_gevent.worker.executor", "executor.py") == (name, file)
    assert text.startswith("job started command=true pid=")
    assert text.endswith(f" job_id={job_id} event_id=nightly")


def test_a_program_without_a_log_sees_only_warnings(queue, run):
    """That is what Python's logging does by itself."""
    queue.send({"command": "true"})
    program = """
kicker = Kicker(conf(sys.argv[1], locker_backend="none", throttler_backend="none",
                     stats_host="0.0.0.0"))
gevent.spawn(stop_after, kicker, 1)
kicker.run()
"""
    done = run(program, queue.name)
    assert [] == lines(done)
    assert done.stderr.startswith("anyone who reaches this host can read commands and outputs")
    assert 1 == len(done.stderr.splitlines())


def test_an_editor_sees_the_public_names():
    """All of them are there, and importable, with what a Kicker takes in place of its own parts."""
    names = {"AlreadyLocked", "Config", "ConfigError", "DuplicatedMessage", "History", "Holder"}
    names |= {"Kicker", "LeasedLocker", "LeasedThrottler", "ListedLocker", "Locker", "Message"}
    names |= {"Queue", "SqsjkrError", "Throttler", "__version__", "create_app"}
    assert names == set(sqsjkr_gevent.__all__)
    assert names <= set(dir(sqsjkr_gevent))
    for name in names:
        assert getattr(sqsjkr_gevent, name)


@pytest.mark.slow
def test_mypy_refuses_a_config_with_a_wrong_type_or_a_wrong_name(tmp_path):
    """The mistake shows in the editor, not at 3 a.m."""
    program = tmp_path / "program.py"
    program.write_text(
        "from sqsjkr_gevent import Config\n"
        'Config.new(queue_name="q", wait_time="10s", max_concurrent_num=3)\n'
        'Config.new(queue_name="q", max_concurrent_num="three")\n'
        'Config.new(queue_name="q", max_concurent_num=3)\n'
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)]
    parent = Path(sqsjkr_gevent.__file__).parents[1]
    found = {} if parent.name == "site-packages" else {"MYPYPATH": str(parent)}
    done = subprocess.run(
        mypy, cwd=tmp_path, env={**os.environ, **found}, capture_output=True, text=True
    )
    told = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert ["program.py:3", "program.py:4"] == [line.split(": ")[0] for line in told]
    assert 'expected "int | None"' in told[0]
    assert 'did you mean "max_concurrent_num"' in told[1]


def test_the_stats_app_mounts_elsewhere(run):
    """Below a path of another app, on a server of the program's own."""
    program = """
from gevent.pywsgi import WSGIServer
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response
from sqsjkr_gevent.web import create_app

kicker = Kicker(conf("jobs"))
app = DispatcherMiddleware(Response("mine"), {"/jobs": create_app(kicker)})
server = WSGIServer(("127.0.0.1", 0), app, log=None)
server.start()

def get(path):
    return urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}").read().decode()

print(get("/"))
print(get("/jobs/stats/metrics"), end="")
print(get("/jobs/stats/metrics/v2"), end="")
"""
    assert [
        "mine",
        '{"idle_worker":5,"busy_worker":0}',
        '{"workers":{"busy":0,"idle":5},"invocations":{"succeeded":0,"failed":0,"errored":0}}',
    ] == lines(run(program))


def test_signals_are_left_to_the_program_that_asks_for_it(queue, run):
    """handle_signals=False: its own handler runs, and may stop the kicker."""
    queue.send({"command": "true"})
    program = """
kicker = Kicker(conf(sys.argv[1], locker_backend="none", throttler_backend="none"))

def mine(number, frame):
    print("mine")
    kicker.stop()

signal.signal(signal.SIGTERM, mine)

def signal_after_a_job():
    while not kicker.stats[Outcome.SUCCEEDED]:
        gevent.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)

gevent.spawn(signal_after_a_job)
kicker.run(handle_signals=False)
print("returned")
"""
    said = lines(run(program, queue.name))
    assert ["mine", "returned"] == [line for line in said if line in ("mine", "returned")]


@pytest.mark.parametrize(
    "handler",
    ["signal.SIG_DFL", "mine"],
)
def test_signals_stop_a_kicker_that_handles_them_and_are_given_back(queue, run, handler):
    """After run() a signal does again what it did before."""
    queue.send({"command": "true"})
    program = """
kicker = Kicker(conf(sys.argv[1], locker_backend="none", throttler_backend="none"))

def mine(number, frame):
    print("mine", flush=True)
    os._exit(256 - signal.SIGTERM)

def signal_after_a_job():
    while not kicker.stats[Outcome.SUCCEEDED]:
        gevent.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)

signal.signal(signal.SIGTERM, eval(sys.argv[2]))
gevent.spawn(signal_after_a_job)
kicker.run()
print("returned", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
gevent.sleep(30)
"""
    done = run(program, queue.name, handler)
    said = [line for line in done.stdout.splitlines() if line in ("mine", "returned")]
    assert (["returned"] if handler == "signal.SIG_DFL" else ["returned", "mine"]) == said
    assert -signal.SIGTERM % 256 == done.returncode % 256


def test_a_queue_that_does_not_exist_is_an_error_of_run(run):
    """StartError is a SqsjkrError; the program may catch it."""
    program = """
from sqsjkr_gevent import SqsjkrError
try:
    Kicker(conf("no-such-queue")).run()
except SqsjkrError as error:
    print(error)
"""
    said = lines(run(program))[-1]
    assert "'no-such-queue'" in said
    assert "sqsjkr-gevent init" in said
