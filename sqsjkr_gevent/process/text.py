"""Files without a name, to pass a text to a process."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from gevent import monkey

_close = monkey.get_original("os", "close")


@contextmanager
def text_file(text: str) -> Iterator[int]:
    """A descriptor to read the text from, during the block.

    A file, not a pipe: it holds texts of any length, and nothing has to write while the process
    reads. It is in memory, so it needs no disk space and no directory. Raises OSError.
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
    """A file that only this process can open, in memory if possible. Raises OSError."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sqsjkr-gevent-text", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
