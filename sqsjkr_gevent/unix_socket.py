"""Files of Unix sockets: a stale one is in nobody's way, a live one is somebody's."""

import errno
import socket
from pathlib import Path


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
