"""Local mode: SQS and DynamoDB on loopback, in a child process that ends with this one."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
import toml
from gevent import subprocess

from ..errors import ConfigError, SqsjkrError

#: The account and credentials for the local server, which checks none of them.
ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

QUEUE_NAME = "jobs"

#: Seconds within which the server must listen, and within which it must end.
START_WITHIN = 60.0
END_WITHIN = 5.0

_HEADER = "# Written by `sqsjkr-gevent local`; valid while it runs.\n\n"


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with credentials for the local server in place of the user's AWS settings."""
    ours = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    return ours | CREDENTIALS | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


def write_config(
    directory: Path, endpoint_url: str, kicker: Mapping[str, Any], log: Mapping[str, Any]
) -> Path:
    """Write conf.toml for the local server. Returns its path.

    kicker, log: keys of these sections; None: not set. Raises ConfigError if the file cannot be
    written, or exists and is not from local mode.
    """
    path = directory / "conf.toml"
    config = {
        "account": {"id": ACCOUNT_ID, "region": REGION, "endpoint_url": endpoint_url},
        # Short, because stopping waits for the polls under way.
        "sqs": {"queue_name": QUEUE_NAME, "wait_time": 1},
        "kicker": {"kill_over_life_time": True} | _given(kicker),
        "log": _given(log),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.read_text("utf-8", "replace").startswith(_HEADER):
            raise ConfigError(f"{path}: exists and is not from local mode; use another directory")
        path.write_text(_HEADER + toml.dumps(config), "utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _given(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


class LocalServer:
    """The server, which runs within a `with` block.

    log: a file for its log. Raises SqsjkrError if it does not start.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._watch: gevent.Greenlet[[], None] | None = None
        #: How it ended unexpectedly; empty if it did not.
        self.died = ""

    def __enter__(self) -> "LocalServer":
        with self._log.open("wb") as log:
            self._process: Any = subprocess.Popen(
                [sys.executable, "-m", "sqsjkr_gevent.local.server"],
                # The child ends when this pipe closes, and so when this process ends.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.endpoint_url = f"http://127.0.0.1:{self._port()}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.kill()
        self._end()

    def on_death(self, call: Callable[[], None]) -> None:
        """Call `call` if the server ends unexpectedly."""

        def watch() -> None:
            status = self._process.wait()
            how = f"signal {-status}" if status < 0 else f"exit {status}"
            self.died = f"the local SQS and DynamoDB server has ended ({how}) {self._last_words()}"
            call()

        self._watch = gevent.spawn(watch)

    def _port(self) -> int:
        line = gevent.with_timeout(START_WITHIN, self._process.stdout.readline, timeout_value=None)
        if line is None:
            raise SqsjkrError(f"the local server did not start within {START_WITHIN:.0f} s")
        if not line:
            self._process.wait()
            raise SqsjkrError(self._last_words() or "the local server ended at once")
        return int(json.loads(line)["port"])

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _end(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
