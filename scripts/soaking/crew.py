"""The kickers of a soak: a fleet of three, one that nobody kills, and one of a FIFO queue."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from kickers import KickerProcess, settings
from servers import Aws, Queue, Table

#: Seconds: of each lease, and of the visibility timeout.
LEASE = 10

#: The variable that all kickers and their jobs carry; its value tells two soaks on a host apart.
MARK = "SQSJKR_SOAK"

#: Seconds for a kicker to start on a loaded machine, and to stop.
START_WITHIN = 120.0
STOP_WITHIN = 120.0

#: What a log must not have. A kicker that cannot start would be one that is missing.
UNFORESEEN = (
    "Traceback (most recent call last)",
    "cannot make the kicker",
    "the kicker cannot continue",
    "the kicker has failed",
)

PROCESSES = 3
SLOTS = 3


class Crew:
    """All kickers. env: for them, besides the AWS settings. mark: the value of MARK."""

    def __init__(
        self, directory: Path, aws: Aws, env: Mapping[str, str], mark: str, stores: Table
    ) -> None:
        self._directory = directory
        self._aws = aws
        self.mark = mark
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self._env = {**env, "TMPDIR": str(self.temporary), MARK: mark}
        self._stores = stores
        self.history = directory / "history.db"
        self._started: list[KickerProcess] = []

    def start(self, queue: Queue, fifo: Queue) -> None:
        """Start all, and wait until they receive."""
        config = self._config(queue)
        config["kicker"]["max_concurrent_num"] = SLOTS
        self.lone = self._kick(config)
        config["kicker"]["max_concurrent_num"] = PROCESSES * SLOTS
        self.fleet = self._kick(config, "--processes", str(PROCESSES))
        self._of_groups = self._config(fifo)
        self.fifo = self._kick(self._of_groups)
        self.lone.says("started", deadline=START_WITHIN)
        self.fleet.says("started", PROCESSES, deadline=START_WITHIN)
        self.fifo.says("started", deadline=START_WITHIN)

    def workers(self) -> list[psutil.Process]:
        """The processes of the fleet, without its master."""
        with suppress(psutil.NoSuchProcess):
            return [
                child
                for child in psutil.Process(self.fleet.pid).children()
                if "gunicorn" in _command(child)
            ]
        return []

    def replace_fifo(self) -> None:
        """Start another kicker of the FIFO queue, if the last one was killed."""
        if self.fifo.process.poll() is not None:
            self.fifo = self._kick(self._of_groups)

    def ended_unasked(self) -> str | None:
        """Which of the kickers that nobody kills has ended; None: neither."""
        for name, kicker in (("the lone kicker", self.lone), ("the master", self.fleet)):
            code = kicker.process.poll()
            if code is not None:
                return f"{name} has ended with exit code {code}"
        return None

    def stop(self) -> list[str]:
        """Stop all. Returns what was not as it should be."""
        kickers = (self.lone, self.fleet, self.fifo)
        for kicker in kickers:
            kicker.send(signal.SIGTERM)
        wrong = []
        for kicker in kickers:
            try:
                code = kicker.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                wrong.append(f"a kicker does not stop within {STOP_WITHIN:.0f} s")
            else:
                wrong += [f"a stop ended with exit code {code}"] if code else []
        left = self.processes()
        wrong += [f"left running: {_command(one)}" for one in left]
        files = sorted(path.name for path in self.temporary.rglob("*"))
        return wrong + [f"left in TMPDIR: {name}" for name in files]

    def clean_up(self) -> None:
        """Kill whatever of it runs."""
        for kicker in self._started:
            kicker.clean_up()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def processes(self) -> list[psutil.Process]:
        """All that carry the mark: kickers, watchers, jobs."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def is_whole(self) -> bool:
        """Whether the fleet has all its processes, and all kickers make progress."""
        try:
            told = json.loads(self.fleet.get("/api/state"))
            told_well = [kicker.get("/healthz") for kicker in (self.lone, self.fleet, self.fifo)]
        except OSError:  # One of them says 503, or its process has just ended.
            return False
        states = [process["state"] for process in told["processes"]]
        return states == PROCESSES * ["running"] and bool(told_well)

    def errors(self) -> Iterator[str]:
        """The lines of their logs that no fault of the network or of a process explains."""
        for kicker in self._started:
            for line in kicker.log.read_text(errors="replace").splitlines():
                if any(text in line for text in UNFORESEEN):
                    yield f"{kicker.log.name}: {line[-2000:]}"

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.environ().get(MARK) == self.mark
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False

    def _config(self, queue: Queue) -> dict[str, Any]:
        config = settings(self._aws, queue, self._stores, sqs={"visibility_timeout": LEASE})
        del config["account"]["endpoint_url"]  # It comes from the environment, through proxies.
        config["locker"]["lease"] = LEASE
        config["throttler"]["retention"] = "1m"
        config["retry"] = {"exit_codes": [75], "backoff": "1s", "max_attempts": 1000}
        config["history"] = {"path": str(self.history), "keep": "1m"}
        config["log"]["level"] = "info"
        return config

    def _kick(self, config: dict[str, Any], *arguments: str) -> KickerProcess:
        kicker = KickerProcess(
            self._directory, self._aws, config, arguments=arguments, env=self._env
        )
        self._started.append(kicker)
        return kicker


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
