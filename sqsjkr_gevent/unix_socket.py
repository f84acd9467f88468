"""Files of Unix sockets: a stale one is in nobody's way, a live one is somebody's."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Bytes of a socket's path that the kernel takes, the last of them a NUL.
#: https://man7.org/linux/man-pages/man7/unix.7.html
_MAX_PATH = 108


@contextmanager
def short(path: Path) -> Iterator[str]:
    """A path of the same file that fits into the address of a socket; it holds for the block.

    Raises OSError where the directory cannot be opened.
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
    """Remove a socket file that nobody listens on. Raises OSError for anything else there."""
    file = Path(path)
    if not file.exists():
        return
    if not file.is_socket():
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            file.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "another process listens on it")
