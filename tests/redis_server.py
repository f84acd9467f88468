"""A real Redis for tests, which ends with pytest, and a proxy that loses its responses."""

import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import gevent
import redis
from gevent import socket
from gevent.server import StreamServer

from servers import GUARD, START_DEADLINE, free_port, kill_group
from sqsjkr_gevent.stores.redis.server import Server
from waiting import eventually


def binary() -> str:
    """The path of redis-server."""
    found = shutil.which(os.environ.get("SQSJKR_TEST_REDIS") or "redis-server")
    if found is None:
        raise FileNotFoundError("no redis-server: run scripts/test-redis")
    return found


class RedisServer:
    """A Redis on a Unix socket in directory, without files on disk. tcp: also on a port."""

    def __init__(self, directory: Path, *options: str, tcp: bool = False) -> None:
        self.socket = str(directory / "redis.sock")
        self.port = free_port() if tcp else 0
        self.log = directory / "redis.log"
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        #: A client with all permissions on this server.
        self.client = redis.Redis(unix_socket_path=self.socket, decode_responses=True)
        self.start()

    @property
    def url(self) -> str:
        """The value for `[redis] url`."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, empty, on the same address as before, and wait until it responds."""
        arguments = ["--unixsocket", self.socket, "--port", str(self.port), "--bind", "127.0.0.1"]
        arguments += ["--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        with self.log.open("ab") as output:
            self._process = process = subprocess.Popen(
                ["sh", "-c", GUARD, binary(), *arguments, *self._options],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def responds() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"Redis has ended:\n{self.log.read_text()[-2000:]}")
            try:
                return bool(self.client.ping())
            except redis.ConnectionError:
                return False

        eventually(responds, deadline=START_DEADLINE)
        self._pid = int(self.client.info("server")["process_id"])

    def send(self, number: signal.Signals) -> None:
        """Send it a signal. After SIGSTOP it accepts calls but sends no responses."""
        os.kill(self._pid, number)  # Not to its guard, which ends it with pytest.

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            kill_group(self._process)


class LosesAnswers:
    """A Unix socket in front of a server. Requests arrive; `lost` is how many responses do not."""

    def __init__(self, server: RedisServer) -> None:
        self.path = f"{server.socket}.lossy"
        self.lost = 0
        self._behind = server.socket
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(16)
        self._serving = StreamServer(listener, self._serve)
        self._serving.start()

    def stop(self) -> None:
        """Close it."""
        self._serving.stop(timeout=0)
        Path(self.path).unlink()

    def _serve(self, client: Any, address: Any) -> None:
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(self._behind)
        asking = gevent.spawn(_copy, client, behind)
        try:
            while data := behind.recv(65536):
                if self.lost:
                    self.lost -= 1
                    return
                client.sendall(data)
        finally:
            asking.kill()
            behind.close()
            client.close()


def _copy(source: Any, target: Any) -> None:
    while data := source.recv(65536):
        target.sendall(data)


def connect(url: str, connections: int = 32) -> Server:
    """The package's own connections to a server."""
    return Server(url, connections=connections, observe=lambda operation, error: None)


def fresh_prefix() -> str:
    """A prefix of keys that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
