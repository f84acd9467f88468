"""What the processes of a fleet share: the config and a directory.

gunicorn's master loads this before gevent patches anything, so it imports little but the config.
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

#: Variables that configure the fleet; `sqsjkr-gevent --processes` sets all three.
CONF = "SQSJKR_CONF"
PROCESSES = "SQSJKR_PROCESSES"
OVERRIDES = "SQSJKR_OVERRIDES"


class Fleet:
    """One run of a fleet, from the start of its master to its end.

    processes: their number. directory: for shared files. run: a unique name of this run.
    Raises ConfigError, or StartError if the shared files cannot be created.
    """

    def __init__(self, path: str, processes: int, overrides: Mapping[str, object]) -> None:
        self.processes = processes
        self._path = path
        self._overrides = dict(overrides)
        #: The last valid config that was read. A replaced process gets the same config as the
        #: others, even if the file has changed meanwhile.
        self.config = self._read()
        self.run = uuid.uuid4().hex
        self._master = os.getpid()
        try:
            # Not files: reporting a failed start must not need disk space.
            self._up = mmap.mmap(-1, 1)
            self._unclaimed, writing = os.pipe()
            os.write(writing, b"!")
            os.close(writing)
            self.directory = Path(tempfile.mkdtemp(prefix="sqsjkr-gevent-"))
            # At every end of the master except SIGKILL, even before it has a worker.
            atexit.register(self._remove)
            self._set_up()
        except OSError as error:
            few = error.errno in (errno.EMFILE, errno.ENFILE)
            hint = "allow more of them (ulimit -n)" if few else "set TMPDIR to another directory"
            raise StartError(f"cannot create the files of the fleet: {error}; {hint}") from error

    def _set_up(self) -> None:
        """Create the directories, and try a socket here, not in each process.

        Raises OSError.
        """
        self.metrics.mkdir()
        self.sockets.mkdir()
        with (
            short(self.sockets / "0") as address,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe,
        ):
            probe.bind(address)
        (self.sockets / "0").unlink()
        # Programs that remove old temporary directories skip locked ones.
        self._locked = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._locked, fcntl.LOCK_SH)
        except OSError:
            pass  # Some file systems have no such locks, and some hosts no such program.

    @classmethod
    def of_environment(cls, environ: MutableMapping[str, str]) -> "Fleet":
        """The fleet of these variables; removes PROCESSES and OVERRIDES. Raises as Fleet does."""
        path = environ.get(CONF)
        if not path:
            raise ConfigError(f"set {CONF} to the path of the config file")
        processes = environ.pop(PROCESSES, "") or str(os.cpu_count() or 1)
        if not processes.isdecimal() or processes == "0":
            raise ConfigError(f"{PROCESSES}: expected a number of processes, got {processes!r}")
        overrides = json.loads(environ.pop(OVERRIDES, "{}"))
        return cls(path, int(processes), overrides)

    @property
    def metrics(self) -> Path:
        """The directory with the values of counters and histograms."""
        return self.directory / "metrics"

    @property
    def sockets(self) -> Path:
        """The directory where each process has a socket for the others."""
        return self.directory / "sockets"

    @property
    def has_been_up(self) -> bool:
        """Whether one of its kickers has ever started to receive."""
        return self._up[0] == 1

    def mark_up(self) -> None:
        """Record that one of its kickers receives."""
        self._up[0] = 1

    def claim_failure_report(self) -> bool:
        """Claim to report that no kicker can start. Returns whether no process did so before."""
        # The first to read gets the byte, all others the end of the pipe.
        return bool(os.read(self._unclaimed, 1))

    def reread(self) -> None:
        """Use the file's config from now on. Raises ConfigError, and keeps the current one."""
        config = self._read()
        _check_slots(config, self.processes, self._path)
        self.config = config

    def _remove(self) -> None:
        if os.getpid() == self._master:  # Workers inherit this exit handler.
            shutil.rmtree(self.directory, ignore_errors=True)

    def set_processes(self, processes: int) -> None:
        """Set the number of processes, whatever the variables say. Raises ConfigError."""
        self.processes = processes
        _check_slots(self.config, processes, self._path)

    def _read(self) -> Config:
        return Config.load(self._path, os.environ, self._overrides)


def _check_slots(config: Config, processes: int, path: str) -> None:
    slots = config.kicker.max_concurrent_num
    if slots < processes:
        raise ConfigError(
            f"{path}: kicker.max_concurrent_num is {slots}, less than one slot for each of "
            f"{processes} processes: set fewer processes, or more slots"
        )


def share(total: int, processes: int, index: int) -> int:
    """How many of `total` slots the process with that index gets; at least one."""
    return max(1, total // processes + (index < total % processes))
