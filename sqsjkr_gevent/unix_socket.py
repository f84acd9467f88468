"""Files of Unix sockets: long paths, and files left by processes that are gone."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Longest socket path the kernel accepts, in bytes, including the final NUL.
#: https://man7.org/linux/man-pages/man7/unix.7.html
_MAX_PATH = 108


@contextmanager
def short(path: Path) -> Iterator[str]:
    """Yield a path of the same file that fits into a socket address; valid within the block.

    Raises OSError if the directory cannot be opened.
    """
    if len(os.fsencode(path)) < _MAX_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def remove_stale(path: str) -> None:
    """Remove a socket file that no process listens on. Raises OSError if it is anything else."""
    file = Path(path)
    if not file.exists():
        return
    if not file.is_socket():
        raise OSError(errno.EEXIST, "a file that is not a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            file.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "another process listens on it")
