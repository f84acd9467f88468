"""libc's posix_spawn: starts a process without copying this one, with the GIL released."""

import ctypes
import os
from collections.abc import Iterable, Sequence
from typing import Any

#: From glibc's spawn.h; other libcs have other values, or lack some of these.
_SETSIGDEF = 0x04
_SETSIGMASK = 0x08
_SETSID = 0x80

#: Bytes for posix_spawnattr_t, of which glibc's has 336, and for a sigset_t.
_ATTRIBUTES = 1024

#: Bytes for posix_spawn_file_actions_t, of which glibc's has 80. Many are kept.
_FILE_ACTIONS = 128

#: Size of sigset_t in bytes.
_SIGSET = 128

#: The oldest usable glibc: 2.34 added addclosefrom_np, see posix_spawn(3).
_OLDEST = (2, 34)

#: From sys/epoll.h.
_EPOLL_CTL_DEL = 2

# PyDLL, unlike CDLL, keeps the GIL during a call: only for functions that return at once.
_quick = ctypes.PyDLL(None)

#: A null-terminated array of strings, as execve takes them.
Vector = Any


class Unsupported(Exception):
    """This libc's posix_spawn lacks a needed feature."""


class PosixSpawn:
    """Starts processes, each in its own session, with default signals. Raises Unsupported."""

    def __init__(self) -> None:
        _require_glibc()
        self._spawn = ctypes.CDLL(None).posix_spawn
        self._attributes = self._make("posix_spawnattr_init", _ATTRIBUTES)
        # Not sigfillset: it omits glibc's two internal signals, which the child would then ignore.
        every = ctypes.create_string_buffer(b"\xff" * _SIGSET, _ATTRIBUTES)
        none = ctypes.create_string_buffer(_ATTRIBUTES)
        self._do("posix_spawnattr_setsigdefault", self._attributes, every)
        self._do("posix_spawnattr_setsigmask", self._attributes, none)
        flags = ctypes.c_short(_SETSIGDEF | _SETSIGMASK | _SETSID)
        self._do("posix_spawnattr_setflags", self._attributes, flags)

    def descriptors(self, stdin: int, output: int) -> Any:
        """File actions: the child's 0 is `stdin`, its 1 and 2 are `output`, the rest are closed.

        Both must be at least 3. The result can be used for any number of calls; release it with
        forget_descriptors.
        """
        actions = self._make("posix_spawn_file_actions_init", _FILE_ACTIONS)
        for fd, number in ((stdin, 0), (output, 1), (output, 2)):
            self._do("posix_spawn_file_actions_adddup2", actions, fd, number)
        self._do("posix_spawn_file_actions_addclosefrom_np", actions, 3)
        return actions

    def forget_descriptors(self, descriptors: Any) -> None:
        """Free the memory that libc allocated for them."""
        self._do("posix_spawn_file_actions_destroy", descriptors)

    def spawn(self, path: bytes, descriptors: Any, argv: Vector, env: Vector) -> tuple[int, int]:
        """Start the program at `path`. Returns 0 and the pid, or an errno and 0.

        Can be called from any thread. All arguments must stay referenced until it returns.
        """
        pid = ctypes.c_int()
        error = self._spawn(ctypes.byref(pid), path, descriptors, self._attributes, argv, env)
        return error, pid.value

    def _make(self, init: str, size: int) -> Any:
        structure = ctypes.create_string_buffer(size)
        self._do(init, structure)
        return structure

    def _do(self, function: str, *arguments: Any) -> None:
        error = getattr(_quick, function)(*arguments)
        if error:
            raise OSError(error, f"{function}: {os.strerror(error)}")


def vector(strings: Sequence[bytes]) -> Vector:
    """The strings, without NUL bytes, as an argument of spawn()."""
    return (ctypes.c_char_p * (len(strings) + 1))(*strings)


def longer(of: Vector, strings: Sequence[bytes]) -> Vector:
    """A new vector: the strings of `of`, which must stay referenced, and more."""
    n = len(of) - 1
    made = (ctypes.c_char_p * (n + len(strings) + 1))()
    ctypes.memmove(made, of, n * ctypes.sizeof(ctypes.c_char_p))
    for string in strings:
        made[n] = string
        n += 1
    return made


def forget(loop: Any, fd: int) -> None:
    """Remove a descriptor that is about to be closed from a gevent loop's epoll set.

    libev relies on the close to do this. But a child that is just being started may hold a copy;
    then epoll reports events for a closed or reused descriptor, and libev rebuilds the whole set.
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
