"""Makes calls in processes of their own: the next one starts from the same memory."""

import gc
import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from gevent import monkey

T = TypeVar("T")

# The unpatched ones: the caller has no hub.
_close = monkey.get_original("os", "close")
_fork = monkey.get_original("os", "fork")
_read = monkey.get_original("os", "read")
_select = monkey.get_original("select", "select")
_write = monkey.get_original("os", "write")
_waitpid = monkey.get_original("os", "waitpid")


class Failed(Exception):
    """A call raised; the text is its traceback."""


def each(call: Callable[[T], Any], items: Iterable[T], parallel: int) -> Iterator[tuple[T, Any]]:
    """Each item with the call's result, as they come; so many at a time. Raises Failed."""
    waiting = iter(items)
    running: dict[int, tuple[int, T, bytearray]] = {}
    more = True
    while more or running:
        while more and len(running) < parallel:
            item = next(waiting, None)
            if item is None:
                more = False
            else:
                pid, fd = _started(call, item)
                running[fd] = pid, item, bytearray()
        ready, _, _ = _select(list(running), [], [], 60) if running else ([], [], [])
        for fd in ready:
            pid, item, data = running[fd]
            piece = _read(fd, 1 << 20)
            if piece:
                data += piece
                continue
            del running[fd]
            _close(fd)
            _waitpid(pid, 0)
            error, result = pickle.loads(data) if data else ("the process died", None)
            if error is not None:
                raise Failed(f"{item}: {error}")
            yield item, result


def _started(call: Callable[[T], Any], item: T) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = _fork()
    if pid:
        _close(writing)
        return pid, reading
    # A greenlet that is collected runs its finally blocks, at a moment that no seed decides.
    gc.disable()
    try:
        outcome = None, call(item)
    except BaseException:  # noqa: BLE001  (told to the parent)
        outcome = traceback.format_exc(), None
    data = memoryview(pickle.dumps(outcome))
    while data:
        data = data[_write(writing, data) :]
    os._exit(0)
