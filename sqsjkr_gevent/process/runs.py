"""Which runs have processes now: a file that outlives the kicker, for whoever ends them then.

It is an array of the numbers of live runs, mapped into memory: to note the start and the end of a
run costs no call of the system. Its name is the kicker's, its directory is shared by all kickers of
this user and host. The kicker and its watcher hold a lock on it: where that is free, both are gone.
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

#: Runs for which there is room at first.
_ROOM = 512


class Runs:
    """The file. mark: the kicker's name; a run's mark is that, a colon, and its number.

    From open() to close(): fd: of the file, for the watcher. directory: None where the file has no
    name, so that nobody but the watcher can find it.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self.directory: str | None = None
        self.fd = -1
        self._size = 0
        self._free: list[int] = []

    def open(self) -> None:
        """Make the file. Raises StartError where not even one without a name can be had."""
        try:
            self.directory = _directory()
            self.fd = self._made()
            self._grow()
        except OSError as error:
            raise StartError(f"there is no room to note what runs: {error}") from error

    def began(self, mark: str) -> int | None:
        """The run of that mark is about to have processes; answers its place for ended().

        None where it is none of this kicker's. Raises HostExhausted.
        """
        name, _, number = mark.rpartition(":")
        if name != self._mark or not number.isdecimal():
            return None
        if not self._free:
            try:
                self._grow()
            except (OSError, ValueError) as error:
                raise HostExhausted(f"no room to note what runs: {error}") from error
        place = self._free.pop()
        self._numbers[place] = int(number)
        return place

    def ended(self, place: int) -> None:
        """The run has no process any more but those that it left running on purpose."""
        self._numbers[place] = 0
        self._free.append(place)

    def close(self) -> None:
        """The kicker ends in order, and whatever its jobs left running may go on."""
        if self.directory is not None:
            try:
                os.unlink(os.path.join(self.directory, self._mark))  # noqa: PTH108, PTH118
                os.rmdir(self.directory)  # noqa: PTH106
            except OSError:
                pass  # Whoever tidies up was quicker, or others have files there.
        self._numbers.release()
        self._map.close()
        os.close(self.fd)

    def _made(self) -> int:
        if self.directory is not None:
            try:
                try:
                    return _named(self.directory, self._mark)
                except FileNotFoundError:  # Its last user has just removed it.
                    self.directory = _directory()
                    return _named(self.directory or "", self._mark)
            except OSError as error:
                self.directory = None
                fd = unnamed_file()
                log.warning(
                    "should this kicker and its watcher die together, no other ends its jobs",
                    reason=str(error),
                )
                return fd
        return unnamed_file()

    def _grow(self) -> None:
        size = max(_ROOM, 2 * self._size)
        # Taken now: a full disk would later be a SIGBUS.
        os.posix_fallocate(self.fd, 0, size * NUMBER)
        self._map = mmap.mmap(self.fd, size * NUMBER)
        self._numbers = memoryview(self._map).cast("Q")
        self._free += range(size - 1, self._size - 1, -1)
        self._size = size


def _named(directory: str, mark: str) -> int:
    """A file that others can find, and find locked."""
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
    """The one for all kickers of this user, None where there can be none."""
    try:
        path = os.path.join(tempfile.gettempdir(), f"sqsjkr-gevent-{os.geteuid()}")  # noqa: PTH118
        os.makedirs(path, 0o700, exist_ok=True)  # noqa: PTH103
        found = os.lstat(path)
    except OSError:
        return None
    # The directory above is everybody's.
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return path if ours and not found.st_mode & 0o022 else None
