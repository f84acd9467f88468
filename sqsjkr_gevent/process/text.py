"""Files without a name: a text for a process to read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from gevent import monkey

_close = monkey.get_original("os", "close")


@contextmanager
def text_file(text: str) -> Iterator[int]:
    """A descriptor from which the text can be read, for the length of the block.

    A file, not a pipe: no text is too long for it, and nobody has to feed it. It lies in memory, so
    that it needs neither room on a disk nor a directory. Raises OSError.
    """
    fd = unnamed_file()
    try:
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        while data:
            data = data[os.write(fd, data) :]
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        _close(fd)


def unnamed_file() -> int:
    """A file that only this process has, in memory where the system can. Raises OSError."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sqsjkr-gevent-text", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
