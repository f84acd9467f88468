"""What the simulation puts under the whole program: time, names and chance.

install() comes before the package is imported, as gevent's patch does: many of its functions take
`time.monotonic` as a default. Outside a simulation all is as it was.
"""

import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

from .loop import Actor, VirtualLoop

#: Epoch seconds at which every simulation begins.
EPOCH = 1_800_000_000.0

_loop: VirtualLoop | None = None


def begin(loop: VirtualLoop, seed: int) -> None:
    """From now on this process lives by that loop's time, and its chance comes from the seed."""
    global _loop  # noqa: PLW0603  (a process lives in one time)
    _loop = loop
    random.seed(seed)


def epoch(loop: VirtualLoop) -> float:
    """The true time, which no host knows exactly."""
    return EPOCH + loop.time


def install() -> None:
    """Replace the functions that ask the system for the time, for a name, or for chance."""
    _replace(time, "time", lambda loop: epoch(loop) + loop.current.wall)
    _replace(time, "time_ns", lambda loop: int((epoch(loop) + loop.current.wall) * 1e9))
    _replace(time, "monotonic", lambda loop: loop.time + loop.current.uptime)
    _replace(time, "clock_gettime", lambda loop, clock: loop.time + loop.current.uptime)
    _replace(os, "getpid", lambda loop: loop.current.pid)
    _replace(socket, "gethostname", lambda loop: loop.current.host)
    _replace(uuid, "uuid4", lambda loop: uuid.UUID(int=random.getrandbits(128), version=4))


def _replace(module: Any, name: str, simulated: Callable[..., Any]) -> None:
    real = getattr(module, name)

    def asked(*arguments: Any) -> Any:
        return real(*arguments) if _loop is None else simulated(_loop, *arguments)

    setattr(module, name, asked)


def actor() -> Actor:
    """Whose turn it is."""
    assert _loop is not None
    return _loop.current
