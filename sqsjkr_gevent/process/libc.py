"""libc's posix_spawn: starts a process without copying this one, while Python goes on."""

import ctypes
import os
from collections.abc import Iterable, Sequence
from typing import Any

#: Of glibc's spawn.h; other libcs have other numbers, or not all of these.
_SETSIGDEF = 0x04
_SETSIGMASK = 0x08
_SETSID = 0x80

#: Bytes for each of glibc's opaque structures, of which posix_spawnattr_t is the largest with 336.
_OPAQUE = 1024

#: Bytes of sigset_t.
_SIGSET = 128

#: addclosefrom_np came with glibc 2.34, the last of what is needed; see posix_spawn(3).
_OLDEST = (2, 34)

#: Of sys/epoll.h.
_EPOLL_CTL_DEL = 2

# CDLL lets go of the GIL during a call, PyDLL does not: what is called so returns at once.
_quick = ctypes.PyDLL(None)

#: Null-terminated, as execve takes its arguments and its environment.
Vector = Any


class Unsupported(Exception):
    """This libc lacks something that posix_spawn needs here."""


class PosixSpawn:
    """Starts processes, each in a session of its own, with default signals. Raises Unsupported."""

    def __init__(self) -> None:
        _require_glibc()
        self._spawn = ctypes.CDLL(None).posix_spawn
        self._attributes = self._make("posix_spawnattr_init")
        # Bits, not sigfillset: that leaves out the two of glibc's own, which a child would ignore.
        every = ctypes.create_string_buffer(b"\xff" * _SIGSET, _OPAQUE)
        none = ctypes.create_string_buffer(_OPAQUE)
        self._do("posix_spawnattr_setsigdefault", self._attributes, every)
        self._do("posix_spawnattr_setsigmask", self._attributes, none)
        flags = ctypes.c_short(_SETSIGDEF | _SETSIGMASK | _SETSID)
        self._do("posix_spawnattr_setflags", self._attributes, flags)

    def descriptors(self, stdin: int, output: int) -> Any:
        """Have the child's 0 be `stdin`, its 1 and 2 `output`, and no other be open.

        Both at least 3. What it returns may be used for any number of calls, and then goes to
        forget_descriptors.
        """
        actions = self._make("posix_spawn_file_actions_init")
        for fd, number in ((stdin, 0), (output, 1), (output, 2)):
            self._do("posix_spawn_file_actions_adddup2", actions, fd, number)
        self._do("posix_spawn_file_actions_addclosefrom_np", actions, 3)
        return actions

    def forget_descriptors(self, descriptors: Any) -> None:
        """Give back the memory that libc took for them."""
        self._do("posix_spawn_file_actions_destroy", descriptors)

    def spawn(self, path: bytes, descriptors: Any, argv: Vector, env: Vector) -> tuple[int, int]:
        """Start the program at `path`; answers 0 and the pid, or an errno and 0.

        Callable from any thread. All arguments must stay referenced until it returns.
        """
        pid = ctypes.c_int()
        error = self._spawn(ctypes.byref(pid), path, descriptors, self._attributes, argv, env)
        return error, pid.value

    def _make(self, init: str) -> Any:
        structure = ctypes.create_string_buffer(_OPAQUE)
        self._do(init, structure)
        return structure

    def _do(self, function: str, *arguments: Any) -> None:
        error = getattr(_quick, function)(*arguments)
        if error:
            raise OSError(error, f"{function}: {os.strerror(error)}")


def vector(strings: Sequence[bytes]) -> Vector:
    """The strings for spawn(), which must hold no NUL byte."""
    return (ctypes.c_char_p * (len(strings) + 1))(*strings)


def longer(of: Vector, strings: Sequence[bytes]) -> Vector:
    """The strings of a vector, which must stay referenced, and more."""
    n = len(of) - 1
    made = (ctypes.c_char_p * (n + len(strings) + 1))()
    ctypes.memmove(made, of, n * ctypes.sizeof(ctypes.c_char_p))
    for string in strings:
        made[n] = string
        n += 1
    return made


def forget(loop: Any, fd: int) -> None:
    """Have a gevent loop's epoll forget a descriptor that is about to be closed.

    libev leaves that to the close. But a child that is just being started may hold a copy, and
    what epoll then reports of a number that is gone, or another's, makes libev build a new set.
    """
    if loop.backend == "epoll":
        _quick.epoll_ctl(loop.fileno(), _EPOLL_CTL_DEL, fd, None)


def _require_glibc() -> None:
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (ValueError, OSError):  # No such name, as on musl and macOS.
        raise Unsupported("the C library is not glibc") from None
    if name != "glibc" or _numbers(version.split(".")) < _OLDEST:
        raise Unsupported(f"{name} {version} is older than glibc {'.'.join(map(str, _OLDEST))}")


def _numbers(parts: Iterable[str]) -> tuple[int, ...]:
    return tuple(int(part) for part in parts)
