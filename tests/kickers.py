"""Kickers as real processes, started as a user starts them, and their log and stats."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from servers import Aws
from waiting import eventually

#: How long a kicker may take to start or stop on a loaded machine, in seconds.
DEADLINE = 60.0


def toml(sections: dict[str, dict[str, Any]]) -> str:
    """Sections as TOML. JSON's strings, numbers, booleans and lists are valid TOML."""
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def settings(aws: Aws, queue: Any, table: Any = None, **sections: dict[str, Any]) -> dict[str, Any]:
    """A config for a test: short waits, any stats port, JSON log. Without a table, no stores."""
    stores = {"backend": "none"} if table is None else {"table": table.name}
    config: dict[str, dict[str, Any]] = {
        "account": {
            "id": aws.account_id,
            "region": aws.region,
            "endpoint_url": aws.endpoint_url,
        },
        "sqs": {"queue_name": queue.name, "wait_time": 1, "visibility_timeout": 30},
        "kicker": {"stats_port": "any", "kill_grace": "2s", "shutdown_timeout": "20s"},
        "locker": {**stores, "retry_interval": "200ms"},
        "throttler": dict(stores),
        "log": {"format": "json", "level": "debug"},
    }
    for section, keys in sections.items():
        config.setdefault(section, {}).update(keys)
    return config


class KickerProcess:
    """`python -m sqsjkr_gevent -c conf.toml`, with its log in a file of `directory`."""

    def __init__(
        self,
        directory: Path,
        aws: Aws,
        config: dict[str, Any],
        *,
        arguments: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        stderr: int = subprocess.STDOUT,
        **popen: Any,
    ) -> None:
        number = len(list(directory.glob("kicker-*.toml")))
        conf = directory / f"kicker-{number}.toml"
        conf.write_text(toml(config))
        self.log = directory / f"kicker-{number}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sqsjkr_gevent", "-c", str(conf), *arguments],
                env={**os.environ, **aws.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=stderr,
                cwd=directory,
                **popen,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def lines(self, event: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The lines of its log with this event and these fields, in order."""
        found = []
        for text in self.log.read_text(errors="replace").splitlines():
            if not text.startswith("{"):
                continue
            try:
                line = json.loads(text)
            except ValueError:
                continue  # The last line may be incomplete.
            if event in (None, line.get("event")) and fields.items() <= line.items():
                found.append(line)
        return found

    def says(self, event: str, count: int = 1, deadline: float = DEADLINE, **fields: Any) -> Any:
        """Wait until its log has `count` such lines. Returns the last one."""

        def said() -> bool:
            if self.process.poll() is not None and len(self.lines(event, **fields)) < count:
                raise RuntimeError(f"the kicker has ended:\n{self.log.read_text()[-4000:]}")
            return len(self.lines(event, **fields)) >= count

        eventually(said, deadline=deadline)
        return self.lines(event, **fields)[-1]

    def started(self) -> "KickerProcess":
        """Wait until it receives."""
        self.says("started")
        return self

    @property
    def url(self) -> str:
        """The URL of its stats."""
        host, port = self.says("stats")["address"][:2]
        return f"http://{host}:{port}"

    def get(self, path: str) -> bytes:
        """The response body of a stats path."""
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE) as answer:
            return bytes(answer.read())

    def counters(self) -> dict[str, int]:
        """The invocations of the v2 stats."""
        counted: dict[str, int] = json.loads(self.get("/stats/metrics/v2"))["invocations"]
        return counted

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it the signal to stop. Returns its exit code."""
        self.send(number)
        return self.wait()

    def wait(self, deadline: float = DEADLINE) -> int:
        """Wait for its end. Returns its exit code."""
        return self.process.wait(deadline)

    def clean_up(self) -> None:
        """Kill it if it is still running."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(DEADLINE)
