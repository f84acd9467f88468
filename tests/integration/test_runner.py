"""Commands as real processes: their surroundings, their bounds and their end."""

import errno
import os
import re
import signal
import subprocess
import sys
import uuid
from collections import Counter
from itertools import chain
from pathlib import Path

import gevent
import psutil
import pytest
from gevent import monkey
from gevent import subprocess as gevent_subprocess
from gevent.pool import Pool

from captured import captured
from sqsjkr_gevent import threads as threads_module
from sqsjkr_gevent.errors import CannotExecute, ConfigError, HostExhausted, Stopping
from sqsjkr_gevent.process import Exit, Runner, watcher
from sqsjkr_gevent.process import process as process_module
from sqsjkr_gevent.process import spawn as spawn_module
from sqsjkr_gevent.process import text as text_module
from sqsjkr_gevent.process.plain import PlainLauncher
from sqsjkr_gevent.process.spawn import THREADS, SpawnLauncher
from sqsjkr_gevent.process.watcher import VARIABLE
from waiting import eventually

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture(params=[PlainLauncher, SpawnLauncher])
def launcher(request):
    """Each launcher."""
    one = request.param()
    yield one
    one.close()


@pytest.fixture
def runner(launcher):
    """A runner over each launcher."""
    return Runner(launcher, output_limit=65536, kill_grace=0.5)


def run(runner: Runner, command: str, **wait) -> Exit:
    """Run a command to its end."""
    return runner.start(command, ENV).wait(**wait)


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_in(file: Path) -> int:
    """The process id that a job wrote into a file."""
    return int(eventually(lambda: file.exists() and file.read_text().strip()))


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        ("true", 0, "exit 0"),
        ("exit 3", 3, "exit 3"),
        ("kill -9 $$", -9, "signal SIGKILL"),
        ("no-such-command-anywhere", 127, "exit 127"),
    ],
)
def test_exit_status_is_the_shells_own(runner, command, status, told):
    """Exit codes and signals come through as they are."""
    end = run(runner, command)
    assert (status, told, None) == (end.status, str(end), end.killed)


def test_stdout_and_stderr_come_together_in_their_order(runner):
    """One pipe for both, as cron has it."""
    assert "a\nb\nc\n" == run(runner, "echo a; echo b >&2; echo c").output.text()


def test_stdin_is_empty_unless_given(runner):
    """A job that reads does not wait for ever; a text of any length does not block its writer."""
    assert "" == run(runner, "cat").output.text()
    text = "x" * 300_000
    process = runner.start("wc -c", ENV, stdin=text)
    assert "300000" == process.wait().output.text().strip()


def test_environment_is_exactly_what_was_given(runner):
    """Nothing of the parent's environment slips in; PWD and the like are the shell's own."""
    end = runner.start("env", {"A": "b c", "PATH": ENV["PATH"]}).wait()
    names = {line.split("=")[0] for line in end.output.text().splitlines()}
    assert {"A", "PATH"} <= names <= {"A", "PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert "A=b c" in end.output.text()


def test_job_leads_a_session_and_a_process_group_of_its_own(runner):
    """So that all of it can be signalled, and a terminal's signals do not reach it."""
    process = runner.start("ps -o pid=,pgid=,sid= -p $$", ENV)
    assert [str(process.pid)] * 3 == process.wait().output.text().split()


def test_only_descriptors_0_to_2_are_open_in_the_job(runner, tmp_path):
    """Not even descriptors that this process made inheritable."""
    leaked = os.open(tmp_path / "leaked", os.O_CREAT | os.O_WRONLY)
    os.set_inheritable(leaked, True)
    try:
        # The glob is expanded by the shell itself, so that no other program adds descriptors;
        # dash may hold none above 2 while it does.
        seen = run(runner, "for fd in /proc/$$/fd/*; do echo ${fd##*/}; done").output.text().split()
    finally:
        os.close(leaked)
    assert {"0", "1", "2"} <= set(seen)
    assert str(leaked) not in seen
    assert all(int(fd) <= 3 for fd in seen)  # 3 is the directory that the glob reads.


SIGNALS_CHILD = """
from gevent import monkey; monkey.patch_all()
import os, signal, sys
from sqsjkr_gevent.process.plain import PlainLauncher
from sqsjkr_gevent.process.runner import Runner
from sqsjkr_gevent.process.spawn import THREADS, SpawnLauncher
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
runner = Runner(globals()[sys.argv[1]](), output_limit=65536, kill_grace=1)
env = {"PATH": os.environ["PATH"]}
print(runner.start("cat /proc/self/status", env).wait().output.text())
"""


def test_signal_mask_and_dispositions_are_the_default_in_the_job(runner):
    """Even where the kicker ignores SIGPIPE and SIGHUP and blocks SIGTERM."""
    launcher = type(runner._launcher).__name__
    status = subprocess.run(
        [sys.executable, "-c", SIGNALS_CHILD, launcher], check=True, capture_output=True, text=True
    ).stdout
    masks = dict(re.findall(r"^(SigBlk|SigIgn):\s+(\w+)$", status, re.MULTILINE))
    assert {"SigBlk": 0, "SigIgn": 0} == {name: int(mask, 16) for name, mask in masks.items()}


def test_a_pipeline_ends_when_its_reader_does(runner):
    """`yes | head -1` is over at once only where SIGPIPE is the default."""
    assert ("y\n", 0) == (
        (end := run(runner, "yes | head -1", timeout=30)).output.text(),
        end.status,
    )


def test_a_background_child_that_holds_the_output_keeps_the_job_running(runner, tmp_path):
    """`heavy & echo ok` is over when heavy is, as with cron and sqsjkr."""
    go = tmp_path / "go"
    os.mkfifo(go)
    process = runner.start(f"(read _ < {go}; echo late) & echo early", ENV)
    waiting = gevent.spawn(process.wait)
    eventually(lambda: not alive(process.pid))
    assert not waiting.ready()
    go.write_text("\n")
    assert "early\nlate\n" == waiting.get(timeout=10).output.text()


def test_a_background_child_without_the_output_does_not(runner, tmp_path):
    """What redirects its output elsewhere is nobody's concern any more."""
    pid = tmp_path / "pid"
    end = run(runner, f"sleep 300 >/dev/null 2>&1 & echo $! > {pid}", timeout=60)
    assert None is end.killed
    os.kill(pid_in(pid), signal.SIGKILL)


def test_a_timeout_ends_the_whole_group_by_sigterm(runner, tmp_path):
    """Children and the shell get the signal, and the job ends with it."""
    pid = tmp_path / "pid"
    end = run(runner, f"sleep 300 & echo $! > {pid}; wait", timeout=0.3)
    assert ("timeout", -signal.SIGTERM) == (end.killed, end.status)
    assert not alive(pid_in(pid))


def test_a_tree_that_ignores_sigterm_is_gone_after_the_grace(runner, tmp_path):
    """SIGKILL to the group follows."""
    pid = tmp_path / "pid"
    command = f"trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {pid}; sleep 300' & wait; sleep 300"
    end = run(runner, command, timeout=0.3)
    assert ("timeout", -signal.SIGKILL) == (end.killed, end.status)
    eventually(lambda: not alive(pid_in(pid)))


def test_a_silent_child_that_ignores_sigterm_is_gone_after_the_grace(runner, tmp_path):
    """Its shell is gone and it holds no output, but it is still of the group."""
    pid = tmp_path / "pid"
    silent = f"sh -c 'trap \"\" TERM; echo $$ > {pid}; sleep 300' >/dev/null 2>&1"
    process = runner.start(f"{silent} & sleep 300", ENV)
    child = pid_in(pid)
    process.kill("timeout")
    process.wait()
    eventually(lambda: not alive(child))


def test_a_process_that_left_the_group_does_not_keep_a_killed_job(runner, tmp_path):
    """It holds the output, but the job was killed and is over."""
    pid = tmp_path / "pid"
    command = f"setsid sh -c 'echo $$ > {pid}; exec sleep 300' & sleep 300"
    process = runner.start(command, ENV)
    child = pid_in(pid)
    process.kill("stop")
    assert "stop" == process.wait().killed
    os.kill(child, signal.SIGKILL)


def test_a_killed_jobs_last_words_are_kept(runner):
    """What it prints on SIGTERM is part of the output."""
    command = "trap 'echo bye; exit 7' TERM; echo hello; while :; do sleep 0.05; done"
    process = runner.start(command, ENV)
    eventually(lambda: "hello" in process._reader.output().text())
    process.kill("timeout")
    end = process.wait()
    assert end.output.text().startswith("hello\n")
    assert end.output.text().endswith("bye\n")
    assert 7 == end.status


def test_the_first_reason_to_kill_stands(runner):
    """A stop during a timeout's grace changes nothing."""
    process = runner.start("sleep 300", ENV)
    process.kill("timeout")
    process.kill("stop")
    assert "timeout" == process.wait().killed


def test_kill_all_ends_all_that_runs(runner):
    """And only that; what is over is forgotten."""
    run(runner, "true")
    processes = [runner.start("sleep 300", ENV) for _ in range(3)]
    runner.kill_all("stop")
    assert ["stop"] * 3 == [process.wait().killed for process in processes]
    assert {} == runner._running


@pytest.mark.parametrize("command", ["x" * 200_000, "echo a\0b"], ids=["too long", "NUL"])
def test_a_command_that_nobody_can_execute_is_told_apart(runner, command):
    """It fails for good, and leaves no descriptor."""
    before = psutil.Process().num_fds()
    with pytest.raises(CannotExecute):
        runner.start(command, ENV)
    assert psutil.Process().num_fds() <= before


def test_a_host_out_of_descriptors_is_told_apart(runner):
    """It may be better soon, so the job goes back."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    run(runner, "true")  # What is opened once is open now.
    free = os.open(os.devnull, os.O_RDONLY)  # The lowest number: one is left, a pipe needs two.
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        with pytest.raises(HostExhausted, match=os.strerror(errno.EMFILE)):
            runner.start("true", ENV)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert 0 == run(runner, "true").status


@pytest.mark.parametrize(
    "jobs", [200, pytest.param(10_000, marks=pytest.mark.slow)], ids=["200", "10000"]
)
def test_nothing_is_left_after_many_jobs(runner, jobs):
    """No zombie and no descriptor."""
    pool = Pool(64)
    run(runner, "true")
    me = psutil.Process()
    before = me.num_fds()
    outputs = pool.imap_unordered(lambda _: run(runner, "echo x").output.text(), range(jobs))
    assert {"x\n": jobs} == Counter(outputs)
    assert me.num_fds() <= before
    assert [] == [child for child in me.children() if child.status() == psutil.STATUS_ZOMBIE]


class TestSpawnLauncher:
    """What only the fast launcher has to get right."""

    def test_a_start_that_is_cut_short_leaves_nothing_running(self):
        """The greenlet that asked for it is killed before the process is there."""
        launcher = SpawnLauncher()
        runner = Runner(launcher, output_limit=100, kill_grace=1)
        run(runner, "true")
        me = psutil.Process()
        before = me.num_fds(), me.children()
        starting = [gevent.spawn(runner.start, "sleep 300", ENV) for _ in range(8)]
        gevent.sleep(0)
        gevent.killall(starting)
        eventually(lambda: before == (me.num_fds(), me.children()))
        launcher.close()

    def test_foreign_children_keep_their_status(self):
        """gevent.subprocess, as botocore uses it for credentials, goes on beside it."""
        launcher = SpawnLauncher()
        runner = Runner(launcher, output_limit=100, kill_grace=1)
        foreign = [gevent_subprocess.Popen(["sh", "-c", f"exit {n}"]) for n in range(20)]
        ours = [runner.start(f"exit {n}", ENV) for n in range(20)]
        assert list(range(20)) == [process.wait().status for process in ours]
        assert list(range(20)) == [process.wait(timeout=30) for process in foreign]
        launcher.close()

    def test_two_launchers_live_beside_each_other(self):
        """As two kickers in one process have them; closing one leaves the other's jobs alone."""
        launchers = [SpawnLauncher(), SpawnLauncher()]
        one, two = [Runner(each, output_limit=100, kill_grace=1) for each in launchers]
        running = two.start("read _; exit 5", ENV, stdin="x")
        assert 3 == run(one, "exit 3").status
        launchers[0].close()
        assert 5 == running.wait().status
        assert 4 == run(two, "exit 4").status
        launchers[1].close()

    def test_closed_standard_descriptors_are_no_trap(self):
        """A daemon may start with 0-2 closed, and the job's pipe must not become one of them."""
        program = (
            "import os; [os.close(n) for n in range(3)]\n"
            "from gevent import monkey; monkey.patch_all()\n"
            "from sqsjkr_gevent.process.spawn import SpawnLauncher\n"
            "from sqsjkr_gevent.process.runner import Runner\n"
            "runner = Runner(SpawnLauncher(), output_limit=100, kill_grace=1)\n"
            "end = runner.start('echo out; echo err >&2; cat', {}).wait()\n"
            "os._exit(0 if end.output.text() == 'out\\nerr\\n' else 1)\n"
        )
        assert 0 == subprocess.run([sys.executable, "-c", program], timeout=60).returncode

    def test_where_the_c_library_cannot_the_plain_way_is_taken(self, monkeypatch):
        """On musl confstr knows no glibc; an old glibc lacks addclosefrom_np."""
        from sqsjkr_gevent.process import make_launcher

        for known in (None, "musl 1.2", "glibc 2.33"):
            monkeypatch.setattr(os, "confstr", lambda _, known=known: known)
            assert PlainLauncher is type(make_launcher("auto"))
            with pytest.raises(ConfigError, match='use "auto": '):
                make_launcher("spawn")
        monkeypatch.undo()
        assert [PlainLauncher, SpawnLauncher, SpawnLauncher] == [
            type(make_launcher(kind)) for kind in ("plain", "spawn", "auto")
        ]


@pytest.fixture
def marked(launcher, tmp_path):
    """A runner whose processes carry a mark, and their environment."""
    mark = f"test-{uuid.uuid4().hex}:1"
    return Runner(launcher, output_limit=1000, kill_grace=0.3), {**ENV, VARIABLE: mark}


def with_mark(env) -> list[int]:
    """The living processes of that run."""
    return [pid for pid, mark in watcher.marked() if mark == env[VARIABLE]]


@pytest.mark.parametrize(
    "escape",
    [
        "timeout 300 sleep 301",
        "setsid -w sleep 301",
        "setsid sh -c 'trap \"\" TERM; sleep 301; sleep 302'",
        "(setsid sleep 301 &); setsid -f sleep 302; sleep 303",
        "sh -c 'while :; do setsid -f sleep 301; sleep 0.01; done'",
    ],
)
def test_a_kill_finds_what_left_the_process_group(marked, escape):
    """With its output elsewhere nothing tells that it runs on, beside the lock's next holder."""
    runner, env = marked
    process = runner.start(f"{{ {escape}; }} >/dev/null 2>&1", env)
    eventually(lambda: len(with_mark(env)) >= 2)
    process.kill("timeout")
    assert "timeout" == process.wait().killed
    assert [] == with_mark(env)


def test_what_not_even_sigkill_ends_is_told_and_keeps_nobody_waiting(marked, monkeypatch):
    """It waits for a device or a dead mount; a stop, or the lock's next holder, must go on."""
    runner, env = marked
    process = runner.start("setsid -f sleep 301 >/dev/null 2>&1; sleep 302", env)
    [stuck] = eventually(lambda: [pid for pid in with_mark(env) if os.getpgid(pid) != process.pid])
    kill = os.kill
    monkeypatch.setattr(process_module, "_VANISH", 0.2)
    monkeypatch.setattr(
        process_module.os, "kill", lambda pid, number: pid == stuck or kill(pid, number)
    )
    with captured() as lines:
        process.kill("stop")
        assert "stop" == process.wait().killed
    assert [stuck] == with_mark(env)
    assert [("processes of a killed job do not end", [stuck])] == [
        (line["event"], line["pids"]) for line in lines
    ]
    kill(stuck, signal.SIGKILL)


def test_what_left_the_group_may_end_by_itself_as_well(marked, tmp_path):
    """It gets SIGTERM like the rest, and once; kill_grace holds for it, too."""
    runner, env = marked
    trap = f"trap 'echo term >> {tmp_path}/told; exit 0' TERM"
    runner._kill_grace = 30
    process = runner.start(
        f"setsid -w sh -c '{trap.replace(chr(39), chr(34))}; touch {tmp_path}/ready;"
        f" while :; do sleep 0.05; done' >/dev/null 2>&1",
        env,
    )
    eventually((tmp_path / "ready").exists)
    process.kill("stop")
    process.wait()
    assert "term\n" == (tmp_path / "told").read_text()
    assert [] == with_mark(env)


def test_a_later_kill_brings_the_end_forward_and_never_puts_it_off(runner, tmp_path):
    """A lost lease leaves seconds, and a kill for a timeout may be under way with a minute."""
    process = runner.start(f"trap '' TERM; touch {tmp_path}/ready; sleep 301; sleep 302", ENV)
    eventually((tmp_path / "ready").exists)
    process.kill("timeout", grace=300)
    process.kill("lease", grace=0.2)
    process.kill("stop", grace=600)
    end = gevent.spawn(process.wait).get(timeout=60)
    assert (-9, "timeout") == (end.status, end.killed)


def test_whatever_raises_while_a_process_runs_it_is_over_afterwards(marked):
    """A log that cannot be written, no memory: its lock goes next."""
    runner, env = marked

    def fail_while_it_runs():
        with runner.start("sleep 301 & timeout 300 sleep 302", env) as process:
            eventually(lambda: len(with_mark(env)) >= 3)
            raise ZeroDivisionError(process)

    with pytest.raises(ZeroDivisionError) as raised:
        fail_while_it_runs()
    assert ([], True) == (with_mark(env), raised.value.args[0].is_over)


def test_a_process_that_nobody_could_be_told_of_is_killed(marked, monkeypatch):
    """It had started when the memory for what belongs to it was not to be had."""
    runner, env = marked

    def fail(*arguments):
        eventually(lambda: with_mark(env))
        raise MemoryError

    monkeypatch.setattr(process_module, "OutputReader", fail)
    with pytest.raises(HostExhausted):
        runner.start("sleep 301", env)
    eventually(lambda: [] == with_mark(env))


@pytest.mark.parametrize("fault", [OSError(errno.EMFILE, "none"), OSError(errno.ENOSPC, "none")])
def test_a_text_that_cannot_be_handed_over_is_a_host_that_is_exhausted(runner, monkeypatch, fault):
    """No descriptor, no space: the trigger is not started, and nothing else is lost."""

    def fail(*arguments):
        raise fault

    monkeypatch.setattr(text_module.os, "memfd_create", fail)
    with pytest.raises(HostExhausted):
        runner.start("cat", ENV, stdin="text")


def test_a_text_needs_no_directory(runner, monkeypatch):
    """As on a read-only root without a temporary one."""
    monkeypatch.setattr("tempfile.tempdir", "/no/such/directory")
    assert "text" == runner.start("cat", ENV, stdin="text").wait().output.text()


@pytest.fixture
def counted(monkeypatch):
    """A launcher that counts its calls of the C library, and the counts by function."""
    launcher = SpawnLauncher()
    calls = Counter()
    do = launcher._libc._do

    def count(function, *arguments):
        calls[function] += 1
        do(function, *arguments)

    monkeypatch.setattr(launcher._libc, "_do", count)
    yield launcher, calls
    launcher.close()


def test_a_text_leaves_nothing_behind_in_the_c_library(counted):
    """270 bytes for each trigger, before."""
    launcher, calls = counted
    runner = Runner(launcher, output_limit=1000, kill_grace=0.5)
    for _ in range(3):
        runner.start("cat", ENV, stdin="text").wait()
    assert 3 == calls["posix_spawn_file_actions_init"]
    assert 3 == calls["posix_spawn_file_actions_destroy"]


def test_what_is_kept_for_a_start_does_not_grow_with_the_jobs_that_run(counted, monkeypatch):
    """Each job that runs makes the next one's pipe have a higher number."""
    launcher, calls = counted
    runner = Runner(launcher, output_limit=1000, kill_grace=0.5)
    runner.start("echo kept", ENV).wait()
    most = max(launcher._descriptors)
    monkeypatch.setattr(spawn_module, "_KEEP_BELOW", most + 1)
    pipes = [os.pipe() for _ in range(4)]
    outputs = [runner.start("echo hi", ENV).wait().output.text() for _ in range(3)]
    for fd in chain.from_iterable(pipes):
        os.close(fd)
    assert (["hi\n"] * 3, 1) == (outputs, len(launcher._descriptors))
    assert 4 == calls["posix_spawn_file_actions_init"]
    assert 3 == calls["posix_spawn_file_actions_destroy"]


def test_without_a_thread_a_start_fails_at_once_and_the_next_one_may_succeed(monkeypatch):
    """Under `ulimit -u`, a limit of a container: nothing waits for ever, and all recovers."""
    told = []
    launcher = SpawnLauncher()
    runner = Runner(launcher, output_limit=1000, kill_grace=0.5, on_start=told.append)

    def fail(*arguments):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threads_module, "_start_thread", fail)
        for _ in range(3):
            with pytest.raises(HostExhausted):
                gevent.spawn(runner.start, "true", ENV).get(timeout=30)
    assert 0 == runner.start("true", ENV).wait().status
    assert [HostExhausted] * 3 + [type(None)] == list(map(type, told))
    launcher.close()


def test_one_thread_is_enough_to_start_processes(monkeypatch):
    """And the other one is started as soon as it can be."""
    launcher = SpawnLauncher()
    runner = Runner(launcher, output_limit=1000, kill_grace=0.5, direct=False)
    start, started = threads_module._start_thread, []

    def one(*arguments):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(start(*arguments))

    with monkeypatch.context() as patch:
        patch.setattr(threads_module, "_start_thread", one)
        assert 0 == runner.start("true", ENV).wait().status
    assert 1 == launcher._threads._alive
    assert 0 == runner.start("true", ENV).wait().status
    assert 2 == launcher._threads._alive
    launcher.close()


def test_a_start_that_waits_for_a_thread_is_not_made_once_the_kicker_stops(monkeypatch):
    """It began after the kicker had killed all jobs, and outlived it."""
    launcher = SpawnLauncher()
    runner = Runner(launcher, output_limit=65536, kill_grace=0.5)
    began, go_on = (monkey.get_original("queue", "SimpleQueue")() for _ in range(2))
    spawn = launcher._libc.spawn

    def slow_spawn(*arguments):
        began.put(None)
        go_on.get()
        return spawn(*arguments)

    monkeypatch.setattr(launcher._libc, "spawn", slow_spawn)
    starts = [gevent.spawn(runner.start, "exec sleep 60", ENV) for _ in range(5)]
    eventually(lambda: began.qsize() == THREADS)
    runner.refuse_starts()
    eventually(lambda: sum(start.ready() for start in starts) == 5 - THREADS)
    with pytest.raises(Stopping):
        runner.start("true", ENV)
    for _ in starts:
        go_on.put(None)
    gevent.joinall(starts, timeout=30)
    refused = [start for start in starts if isinstance(start.exception, Stopping)]
    assert 5 - THREADS == len(refused)
    assert THREADS == began.qsize()
    runner.kill_all("stop")
    ends = [start.value.wait().killed for start in starts if start not in refused]
    assert ["stop"] * THREADS == ends
    launcher.close()
