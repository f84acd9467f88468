"""`status`, `history` and `drain` beside a real kicker."""

import json
import os
import pty
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kickers import DEADLINE, KickerProcess, settings, toml
from servers import free_port
from sqsjkr_gevent.cli.history.show import moment
from sqsjkr_gevent.cli.output.tables import Column, table
from waiting import eventually

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]


class Place:
    """A kicker's config and the commands that go by it."""

    def __init__(self, aws: Any, queue: Any, kick: Any, directory: Path) -> None:
        self.aws = aws
        self.queue = queue
        self.directory = directory
        self._kick = kick
        memory = {"backend": "memory"}
        self.config = settings(aws, queue, locker=memory, throttler=memory)
        del self.config["kicker"]["stats_port"]
        self.config["kicker"]["stats_socket"] = str(directory / "stats.sock")

    def start(self, *arguments: str) -> KickerProcess:
        """A kicker that receives."""
        kicker: KickerProcess = self._kick(self.config, arguments=arguments).started()
        return kicker

    def begin(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """A command that runs."""
        conf = self.directory / "conf.toml"
        conf.write_text(toml(self.config))
        return subprocess.Popen(
            [*COMMAND, *arguments, "-c", str(conf)],
            env={**os.environ, **self.aws.env, "TERM": "xterm"},
            text=True,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )

    def run(self, *arguments: str, **options: Any) -> Any:
        """A command to its end, and what it said."""
        process = self.begin(*arguments, **options)
        out, err = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """What a command says as JSON."""
        done = self.run(*arguments, "--json")
        assert (0, "") == (done.returncode, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture
def place(aws: Any, queue: Any, kick: Any, tmp_path: Path) -> Place:
    """Locks in memory, stats at a socket of its own."""
    return Place(aws, queue, kick, tmp_path)


class Terminal:
    """A terminal that somebody's output goes to, and all that it was shown."""

    def __init__(self, columns: int = 120) -> None:
        self._ours, self.theirs = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.set_blocking(self._ours, False)
        self._seen = b""

    def seen(self) -> str:
        """So far, without escapes."""
        try:
            while piece := os.read(self._ours, 65536):
                self._seen += piece
        except OSError:
            pass
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._seen.decode())

    def close(self) -> None:
        """Both ends."""
        os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Any:
    """One, closed at the end."""
    made = Terminal()
    yield made
    made.close()


def blocks(text: str) -> dict[str, list[list[str]]]:
    """The tables of `status` in a pipe: title to rows without the header."""
    found = {}
    for block in text.split("\n\n")[1:]:
        title, _, *rows = block.splitlines()
        found[title] = [row.split("\t") for row in rows]
    return found


def test_status_tells_what_runs_and_what_waits_for_what(place: Place) -> None:
    """First how it is, then what it does."""
    kicker = place.start()
    place.queue.send({"command": "sleep 60", "event_id": "nightly", "lock_id": "report"})
    eventually(lambda: place.json("status")["running"])
    place.queue.send({"command": "echo \x1b[2J", "event_id": "other", "lock_id": "report"})
    eventually(lambda: place.json("status")["waiting_jobs"])
    done = place.run("status")
    assert (0, "") == (done.returncode, done.stderr)
    facts = dict(line.split(None, 1) for line in done.stdout.partition("\n\n")[0].splitlines())
    assert "ok" == facts["health"]
    assert facts["queue"].startswith(place.queue.name)
    assert f"{socket.gethostname()}, pid {kicker.pid}, version" in facts["kicker"]
    assert "1 of 20 busy" == facts["slots"]
    assert "1 waiting, 0 prefetched" == facts["jobs"]
    tables = blocks(done.stdout)
    assert [str(kicker.pid), "running", "1", "20"] == tables["processes"][0][:4]
    ((_, _, event, lock, command),) = tables["running"]
    assert ("nightly", "report", "sleep 60") == (event, lock, command)
    ((_, what, lock, _, event, command),) = tables["waiting"]
    assert ("its lock", "report", "other") == (what, lock, event)
    assert "echo \\x1b[2J" == command


def test_a_terminal_sees_it_anew_each_second_until_ctrl_c(place: Place, terminal: Any) -> None:
    """And to stop looking is no failure."""
    place.start()
    status = place.begin("status", stdout=terminal.theirs)
    eventually(lambda: "health" in terminal.seen())
    assert "echo later" not in terminal.seen()
    place.queue.send({"command": "echo later; sleep 60"})
    eventually(lambda: "echo later" in terminal.seen())
    status.send_signal(signal.SIGINT)
    assert (0, "") == (status.wait(DEADLINE), status.stderr.read() if status.stderr else None)


@pytest.mark.slow
def test_a_terminal_sees_that_the_kicker_is_gone_and_that_it_is_back(
    place: Place, terminal: Any
) -> None:
    """Whoever looks on while it is restarted need not start again."""
    first = place.start()
    status = place.begin("status", stdout=terminal.theirs)
    eventually(lambda: f"pid {first.pid}" in terminal.seen())
    assert 0 == first.stop()
    eventually(lambda: "no kicker answers" in terminal.seen())
    second = place.start()
    eventually(lambda: f"pid {second.pid}" in terminal.seen())
    status.send_signal(signal.SIGINT)
    assert 0 == status.wait(DEADLINE)


@pytest.mark.slow
def test_a_terminal_sees_it_once_where_that_is_asked_for(place: Place, terminal: Any) -> None:
    """As for a screenshot, or `watch`."""
    place.start()
    done = place.run("status", "--once", stdout=terminal.theirs)
    assert (0, "") == (done.returncode, done.stderr)
    assert "PROCESS" in terminal.seen()


def test_status_finds_the_kicker_at_a_port_and_shows_the_token(place: Place) -> None:
    """Both are in its config."""
    del place.config["kicker"]["stats_socket"]
    port = free_port()
    place.config["kicker"] |= {
        "stats_port": port,
        "stats_host": "0.0.0.0",
        "stats_token": "t" * 16,
    }
    kicker = place.start()
    assert kicker.pid == place.json("status")["main_pid"]
    place.config["kicker"]["stats_token"] = "u" * 16
    done = place.run("status")
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "set kicker.stats_token" in done.stderr


class NoKicker(BaseHTTPRequestHandler):
    """Somebody else's web server."""

    def do_GET(self) -> None:
        """A page."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("command", ["status", "history", "drain"])
def test_where_no_kicker_runs_all_say_so(place: Place, command: str) -> None:
    """On one line, with what says more."""
    done = place.run(command)
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert f"no kicker answers at {place.directory / 'stats.sock'}" in done.stderr
    assert "`sqsjkr-gevent check`" in done.stderr
    del place.config["kicker"]["stats_socket"]
    place.config["kicker"]["stats_port"] = "any"
    done = place.run(command)
    assert 2 == done.returncode
    assert "--stats-port" in done.stderr
    server = HTTPServer(("127.0.0.1", 0), NoKicker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place.config["kicker"]["stats_port"] = server.server_port
    done = place.run(command)
    server.shutdown()
    server.server_close()
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "is not a kicker" in done.stderr


def ended(place: Place, count: int) -> list[dict[str, Any]]:
    """Wait for so many ends, and give all there are, newest first."""
    return eventually(
        lambda: ends if len(ends := place.json("history", "--limit", "9999")) >= count else []
    )


@pytest.mark.parametrize("kept", ["file", "memory"])
@pytest.mark.slow
def test_history_tells_how_jobs_ended(place: Place, kept: str) -> None:
    """From the file also while the kicker is down, else from the kicker."""
    if kept == "file":
        place.config["history"] = {"path": str(place.directory / "history.db")}
    kicker = place.start()
    first = place.queue.send({"command": "echo one two; exit 3", "event_id": "nightly"})
    ended(place, 1)
    place.queue.send({"command": "true", "event_id": "other"})
    newest, oldest = ended(place, 2)
    assert ("other", "succeeded") == (newest["event_id"], newest["outcome"])
    assert ("nightly", "errored", 3) == (
        oldest["event_id"],
        oldest["outcome"],
        oldest["exit_status"],
    )
    if kept == "file":
        assert 0 == kicker.stop()
    assert [oldest] == place.json("history", "--outcome", "errored")
    assert [oldest] == place.json("history", "--event-id", "nightly", "--since", "1h")
    assert [oldest] == place.json("history", "--job-id", first)
    assert [newest] == place.json("history", "--limit", "1")
    assert [] == place.json("history", "--until", "1h")
    done = place.run("history")
    header, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert ["ended", "job id", "outcome", "ran", "event", "command", "reason"] == header
    assert ["other", "nightly"] == [row[4] for row in rows]
    shown = place.run("history", "show", first)
    assert (0, "") == (shown.returncode, shown.stderr)
    assert shown.stdout.endswith("output\none two\n")
    assert "outcome       errored (exit): " in shown.stdout
    assert "exit status   3" in shown.stdout.splitlines()
    (whole,) = place.json("history", "show", first)
    assert oldest | {"output": "one two\n"} == whole
    for other in ("gone?x=%2F", "gone/..", ".."):
        gone = place.run("history", "show", other)
        assert (1, "", 1) == (gone.returncode, gone.stdout, len(gone.stderr.splitlines()))
        assert f"job {other} is not in the history" in gone.stderr


@pytest.mark.slow
def test_history_asks_the_kicker_for_page_after_page(place: Place) -> None:
    """One answer has five hundred at most."""
    place.start()
    for _ in range(60):
        entries = [{"Id": str(n), "MessageBody": "no job"} for n in range(10)]
        place.aws.sqs.send_message_batch(QueueUrl=place.queue.url, Entries=entries)
    assert len({end["seq"] for end in ended(place, 510)}) >= 510
    assert 505 == len(place.json("history", "--limit", "505"))


def test_a_history_file_that_is_not_there_is_an_error_and_is_not_made(place: Place) -> None:
    """A wrong path must not look like a kicker that did nothing."""
    path = place.directory / "none.db"
    place.config["history"] = {"path": str(path)}
    done = place.run("history")
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert f"{path} does not exist" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize("text", ["yesterday", "2h3", "-1h", "", "60"])
def test_a_time_that_is_none_is_refused_with_what_one_looks_like(place: Place, text: str) -> None:
    """Before anybody is asked."""
    done = place.run("history", f"--since={text}")
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "--since: expected how long ago" in done.stderr


def test_a_time_is_so_long_ago_or_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """A date without a zone is of this host's."""
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    assert 1_000_000 - 5400 == moment("1h30m", "--since")
    assert 1_000_000 - 7 * 86400 == moment("7d", "--since")
    assert 86400 == moment("1970-01-02T00:00Z", "--since")
    assert 86400 == moment("1970-01-02T09:00:00+09:00", "--since")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert 86400 == moment("1970-01-02T09:00", "--since")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_drain_stops_the_kicker_and_waits_for_what_runs(place: Place) -> None:
    """And shows what that is."""
    kicker = place.start()
    flag = place.directory / "go"
    place.queue.send({"command": f"until [ -e {flag} ]; do sleep 0.1; done", "event_id": "slow"})
    eventually(lambda: place.json("status")["running"])
    draining = place.begin("drain")
    kicker.says("stopping")
    assert draining.poll() is None
    flag.touch()
    out, err = draining.communicate(timeout=DEADLINE)
    assert 0 == draining.returncode, err
    assert [f"sqsjkr-gevent: the kicker, process {kicker.pid}, is stopping"] == [
        line.partition(";")[0] for line in err.splitlines()
    ]
    assert "running jobs have 20s to finish" in err
    *shown, last = out.splitlines()
    assert f"the kicker, process {kicker.pid}, has stopped" == last
    assert ["still     1 running, 0 waiting", "", "running"] == shown[:3]
    assert ["slow"] == [line.split("\t")[2] for line in shown[4:5]]
    assert 0 == kicker.wait()
    assert 1 == len(kicker.lines("job succeeded", event_id="slow"))


@pytest.mark.slow
def test_a_terminal_sees_what_a_drain_waits_for(place: Place, terminal: Any) -> None:
    """As long as it does."""
    kicker = place.start()
    place.queue.send({"command": "trap '' TERM; echo is slow; sleep 60"})
    eventually(lambda: place.json("status")["running"])
    draining = place.begin("drain", stdout=terminal.theirs)
    eventually(lambda: "echo is slow" in terminal.seen())
    kicker.send(signal.SIGTERM)
    assert 0 == draining.wait(DEADLINE)
    assert "has stopped" in terminal.seen()


@pytest.mark.slow
def test_a_drain_of_a_fleet_stops_all_of_it(place: Place) -> None:
    """The signal goes to the process that the others hang on."""
    del place.config["kicker"]["stats_socket"]
    place.config["kicker"] |= {"stats_port": free_port(), "max_concurrent_num": 4}
    fleet = place.start("--processes", "2")
    fleet.says("started", 2)
    eventually(lambda: len(place.json("status")["processes"]) == 2)
    assert 2 == len(blocks(place.run("status").stdout)["processes"])
    done = place.run("drain")
    assert 0 == done.returncode, done.stderr
    assert f"the kicker, process {fleet.pid}, has stopped\n" in done.stdout
    assert 0 == fleet.wait()


class UnixServer(HTTPServer):
    """HTTP over a socket file."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """Without the name of a host."""
        socketserver.TCPServer.server_bind(self)


class Pretender:
    """A server that answers with a kicker's state, changed, and names a victim for its process."""

    def __init__(self, place: Place) -> None:
        self._config = place.config["kicker"]
        self._servers: list[HTTPServer] = []
        self.victim: subprocess.Popen[bytes] = subprocess.Popen(["sleep", "600"])

    def serve(self, *, unix: bool = False, **changed: object) -> None:
        """Listen at the stats address: at a port, or the socket file that is in the config."""

        def state() -> dict[str, object]:
            pid = self.victim.pid
            told = {"host": socket.gethostname(), "main_pid": pid, "processes": [{"pid": pid}]}
            return {**told, **changed}

        class Handler(NoKicker):
            def do_GET(self) -> None:
                body = json.dumps(state()).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        if unix:
            server: HTTPServer = UnixServer(self._config["stats_socket"], Handler)
        else:
            del self._config["stats_socket"]
            server = HTTPServer(("127.0.0.1", 0), Handler)
            self._config["stats_port"] = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)

    def end_victim(self) -> None:
        """For another one to follow."""
        self.victim.kill()
        self.victim.communicate()

    def end(self) -> None:
        """All of it."""
        self.end_victim()
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def pretender(place: Place) -> Iterator[Pretender]:
    """Nothing listens yet."""
    made = Pretender(place)
    yield made
    made.end()


def refused(place: Place, pretender: Pretender) -> str:
    """What `drain` says, in one line; the victim has no signal."""
    done = place.run("drain")
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert pretender.victim.poll() is None
    return str(done.stderr)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": "web-9"}, "runs on web-9, as process"),
        ({}, "that process does not listen there"),
        ({"main_pid": 2**22 + 1, "processes": []}, "that process does not listen there"),
        ({"main_pid": 0}, "its pid is"),
        ({"main_pid": -1}, "its pid is"),
    ],
)
@pytest.mark.slow
def test_drain_sends_no_signal_to_a_process_that_is_not_the_kickers(
    place: Place, pretender: Pretender, changed: dict[str, Any], said: str
) -> None:
    """Process ids of another host or of a container mean somebody else here."""
    pretender.serve(**changed)
    assert said in refused(place, pretender)


@pytest.mark.parametrize("unix", [False, True])
def test_drain_sends_no_signal_to_whom_a_liar_names(
    place: Place, pretender: Pretender, unix: bool
) -> None:
    """Root may signal everybody, so whoever took the port could have anybody stopped.

    That one of the processes it lists is itself, and does listen, makes the main one no listener.
    """
    pretender.serve(unix=unix, processes=[{"pid": os.getpid()}])
    assert "does not listen" in refused(place, pretender)


def test_to_listen_on_the_same_port_of_another_address_is_not_enough(
    place: Place, pretender: Pretender
) -> None:
    """What counts is who listens where `drain` has asked."""
    pretender.serve()
    pretender.end_victim()
    listen = "import socket, sys; s = socket.create_server(('127.0.0.2', int(sys.argv[1])))"
    program = f"{listen}; print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    port = str(place.config["kicker"]["stats_port"])
    pretender.victim = subprocess.Popen([sys.executable, "-c", program, port], **pipes)
    assert pretender.victim.stdout is not None
    pretender.victim.stdout.readline()
    assert "does not listen" in refused(place, pretender)


def rows_at(width: int) -> list[str]:
    """A table with an id and two long texts, as a terminal of that width has it."""
    from rich.console import Console

    columns = (Column("id"), Column("short", cut=True), Column("long", cut=True))
    cells = [["x" * 36, "abc", "y" * 100], ["x" * 36, "日本語" * 10, "z"]]
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table(columns, cells, width))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 220])
def test_a_narrow_terminal_cuts_texts_and_no_ids(width: int) -> None:
    """An id is there to be copied, and a row stays a line."""
    lines = rows_at(width)
    assert 3 == len(lines)
    assert all("x" * 36 in line for line in lines[1:])
    assert ("y" * 100 in lines[1]) == (width == 220)
