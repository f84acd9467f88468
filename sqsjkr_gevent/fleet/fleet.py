"""What the processes of a fleet have in common: its config and its directory.

gunicorn's master loads this before anything is patched, so it imports the config and no more.
"""

import atexit
import errno
import fcntl
import json
import mmap
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ..config import Config
from ..errors import ConfigError, StartError
from ..unix_socket import short

#: Variables that say how the fleet is to be; `sqsjkr-gevent --processes` sets all three.
CONF = "SQSJKR_CONF"
PROCESSES = "SQSJKR_PROCESSES"
OVERRIDES = "SQSJKR_OVERRIDES"


class Fleet:
    """One run of a fleet, from the start of its master to its end.

    processes: how many. directory: for what they share. run: names this run, and no other.
    Raises ConfigError, or StartError where this host has no room for what they share.
    """

    def __init__(self, path: str, processes: int, overrides: Mapping[str, object]) -> None:
        self.processes = processes
        self._path = path
        self._overrides = dict(overrides)
        #: As it was when it was last read and found to be right: a process that is replaced gets
        #: what the others have, whatever somebody is writing into the file meanwhile.
        self.config = self._read()
        self.run = uuid.uuid4().hex
        self._master = os.getpid()
        try:
            # Not files: what is said of a start that fails must not need room on a disk.
            self._up = mmap.mmap(-1, 1)
            self._unsaid, said = os.pipe()
            os.write(said, b"!")
            os.close(said)
            self.directory = Path(tempfile.mkdtemp(prefix="sqsjkr-gevent-"))
            # However the master ends, short of SIGKILL: also before it has a worker.
            atexit.register(self._remove)
            self._furnish()
        except OSError as error:
            few = error.errno in (errno.EMFILE, errno.ENFILE)
            hint = "allow more of them (ulimit -n)" if few else "set TMPDIR to another directory"
            raise StartError(f"no room for what processes share: {error}; {hint}") from error

    def _furnish(self) -> None:
        """Find out now what would else fail in each process. Raises OSError."""
        self.metrics.mkdir()
        self.sockets.mkdir()
        with (
            short(self.sockets / "0") as address,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe,
        ):
            probe.bind(address)
        (self.sockets / "0").unlink()
        # What cleans up temporary directories by their age leaves one alone that is locked.
        self._held = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._held, fcntl.LOCK_SH)
        except OSError:
            pass  # Not every file system has such locks, and not every host such a cleaner.

    @classmethod
    def of_environment(cls, environ: MutableMapping[str, str]) -> "Fleet":
        """As the variables say; takes those out that are for nobody else. Raises as Fleet does."""
        path = environ.get(CONF)
        if not path:
            raise ConfigError(f"set {CONF} to the path of the config file")
        processes = environ.pop(PROCESSES, "") or str(os.cpu_count() or 1)
        if not processes.isdecimal() or processes == "0":
            raise ConfigError(f"{PROCESSES}: expected how many processes, got {processes!r}")
        overrides = json.loads(environ.pop(OVERRIDES, "{}"))
        return cls(path, int(processes), overrides)

    @property
    def metrics(self) -> Path:
        """Where the values of counters and histograms are."""
        return self.directory / "metrics"

    @property
    def sockets(self) -> Path:
        """Where each process has a socket for the others."""
        return self.directory / "sockets"

    @property
    def was_up(self) -> bool:
        """Whether one of its kickers has ever received."""
        return self._up[0] == 1

    def is_up(self) -> None:
        """One of its kickers receives."""
        self._up[0] = 1

    def fails(self) -> bool:
        """None of its kickers can start; answers whether nobody has said so before."""
        # The first to read finds a byte, all others the end.
        return bool(os.read(self._unsaid, 1))

    def reread(self) -> None:
        """Take the file's config from now on. Raises ConfigError, and keeps the one it has."""
        config = self._read()
        _check_slots(config, self.processes, self._path)
        self.config = config

    def _remove(self) -> None:
        if os.getpid() == self._master:  # Workers have inherited this.
            shutil.rmtree(self.directory, ignore_errors=True)

    def has(self, processes: int) -> None:
        """It has so many processes, whatever the variables say. Raises ConfigError."""
        self.processes = processes
        _check_slots(self.config, processes, self._path)

    def _read(self) -> Config:
        return Config.load(self._path, os.environ, self._overrides)


def _check_slots(config: Config, processes: int, path: str) -> None:
    most = config.kicker.max_concurrent_num
    if most < processes:
        raise ConfigError(
            f"{path}: kicker.max_concurrent_num is {most}, less than one slot for each of "
            f"{processes} processes: set fewer, or more slots"
        )


def share(total: int, processes: int, index: int) -> int:
    """How many of `total` slots the process of that index has; each has one at least."""
    return max(1, total // processes + (index < total % processes))
