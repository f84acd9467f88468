"""A file of the runs that have processes now. It outlives the kicker, so a watcher can end them.

It is an array of the numbers of live runs, mapped into memory: recording the start and end of a run
needs no system call. It has the kicker's name, in a directory shared by all kickers of this user
and host. The kicker and its watcher hold a lock on it; if the lock is free, both are gone.
"""

import fcntl
import mmap
import os
import stat
import tempfile

from ..errors import HostExhausted, StartError
from ..log import get_logger
from .text import unnamed_file
from .watcher import NUMBER

log = get_logger(__name__)

#: Runs that fit into the file at first.
_ROOM = 512


class Runs:
    """The file. mark: the kicker's name; a run's mark is this name, a colon and the run's number.

    Valid from open() to close(): fd: the file, for the watcher. directory: None if the file has no
    name, so that only the watcher has access to it.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self.directory: str | None = None
        self.fd = -1
        self._size = 0
        self._free: list[int] = []

    def open(self) -> None:
        """Create the file. Raises StartError if even a file without a name cannot be created."""
        try:
            self.directory = _directory()
            self.fd = self._create()
            self._grow()
        except OSError as error:
            raise StartError(f"cannot create the file of live runs: {error}") from error

    def begin(self, mark: str) -> int | None:
        """Record that the run of that mark is about to start. Returns its entry, for end().

        None if it is not a run of this kicker. Raises HostExhausted.
        """
        name, _, number = mark.rpartition(":")
        if name != self._mark or not number.isdecimal():
            return None
        if not self._free:
            try:
                self._grow()
            except (OSError, ValueError) as error:
                raise HostExhausted(f"no room to record a run: {error}") from error
        entry = self._free.pop()
        self._numbers[entry] = int(number)
        return entry

    def end(self, entry: int) -> None:
        """Record that the run is over. Processes that it deliberately left running may continue."""
        self._numbers[entry] = 0
        self._free.append(entry)

    def close(self) -> None:
        """Remove the file. Processes that jobs deliberately left running may continue."""
        if self.directory is not None:
            try:
                os.unlink(os.path.join(self.directory, self._mark))  # noqa: PTH108, PTH118
                os.rmdir(self.directory)  # noqa: PTH106
            except OSError:
                pass  # A watcher has already removed it, or other kickers have files there.
        self._numbers.release()
        self._map.close()
        os.close(self.fd)

    def _create(self) -> int:
        if self.directory is not None:
            try:
                try:
                    return _named(self.directory, self._mark)
                except FileNotFoundError:  # Its last user has just removed the directory.
                    self.directory = _directory()
                    return _named(self.directory or "", self._mark)
            except OSError as error:
                self.directory = None
                fd = unnamed_file()
                log.warning(
                    "if this kicker and its watcher die together, nothing ends its jobs",
                    reason=str(error),
                )
                return fd
        return unnamed_file()

    def _grow(self) -> None:
        size = max(_ROOM, 2 * self._size)
        # Allocated now, because a full disk would later cause a SIGBUS.
        os.posix_fallocate(self.fd, 0, size * NUMBER)
        self._map = mmap.mmap(self.fd, size * NUMBER)
        self._numbers = memoryview(self._map).cast("Q")
        self._free += range(size - 1, self._size - 1, -1)
        self._size = size


def _named(directory: str, mark: str) -> int:
    """Create a file that other kickers see only once it is locked."""
    hidden = os.path.join(directory, f".{mark}")  # noqa: PTH118
    fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        os.posix_fallocate(fd, 0, _ROOM * NUMBER)
        os.rename(hidden, os.path.join(directory, mark))  # noqa: PTH104, PTH118
    except BaseException:
        os.unlink(hidden)  # noqa: PTH108
        os.close(fd)
        raise
    return fd


def _directory() -> str | None:
    """The directory for all kickers of this user, None if it cannot be used."""
    try:
        path = os.path.join(tempfile.gettempdir(), f"sqsjkr-gevent-{os.geteuid()}")  # noqa: PTH118
        os.makedirs(path, 0o700, exist_ok=True)  # noqa: PTH103
        found = os.lstat(path)
    except OSError:
        return None
    # Other users can write to the parent directory too.
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return path if ours and not found.st_mode & 0o022 else None
