"""Which commands need no shell, and what is executed for them, as make does it.

A shell that is given one program's name and plain words looks the program up and executes it.
Whoever does that instead saves the start of the shell, which is a third of a short job's time. All
that is not surely the same goes to the shell.
"""

import os
import re
import signal
from collections import ChainMap
from collections.abc import Mapping
from functools import lru_cache
from stat import S_ISREG

#: Characters that no shell treats in a special way anywhere in a word.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./=\- \t]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Builtins and keywords of dash and bash; whatever of them is a program as well may differ.
_SHELLS_OWN = frozenset(
    re.split(
        r"\s+",
        """. : [ alias bg bind break builtin caller case cd chdir command compgen complete compopt
        continue coproc declare dirs disown do done echo elif else enable esac eval exec exit export
        false fc fg fi for function getopts hash help history if in jobs kill let local logout
        mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source
        suspend test then time times trap true type typeset ulimit umask unalias unset until wait
        while""",
    )
)

#: How a file begins that the system executes by itself; a shell would run any other as a script.
_EXECUTABLE = (b"\x7fELF", b"#!")

#: Types of file systems whose files are elsewhere, as mountinfo names them up to a dot.
_REMOTE = frozenset(
    re.split(
        r"\s+",
        """9p afs autofs ceph cifs coda fuse fuseblk glusterfs gpfs lustre ncpfs nfs nfs4 smb3
        smbfs""",
    )
)

#: Where POSIX systems have it, whatever PATH a job asks for.
SHELL = "/bin/sh"


def shell_kind() -> str:
    """The program that sh is here: only of "dash" and "bash" is known what they make of an end."""
    return os.path.basename(os.path.realpath(SHELL))  # noqa: PTH119


def as_dash_ends(status: int) -> tuple[int, bytes]:
    """The exit status, and the words, of a dash whose program was killed by a signal.

    dash starts a program in a child of its own; bash has it in its own place, where it ends as it
    ends. status: minus the signal's number.
    """
    number = -status
    silent = number in (signal.SIGINT, signal.SIGPIPE)
    return 128 + number, b"" if silent else f"{signal.strsignal(number)}\n".encode()


def words_of(command: str) -> list[str] | None:
    """The words of a command that a shell would only execute; None where a shell is needed."""
    if not _PLAIN.fullmatch(command):
        return None
    words = command.split()
    return None if not words or "=" in words[0] or words[0] in _SHELLS_OWN else words


def program_of(word: str, search: str) -> str | None:
    """The path of the program that a shell would execute for a command's first word.

    search: the PATH. None where that is not sure, or where the file lies on another host, which may
    not answer. It looks at files, so it may take any time: not to be called in the hub.
    """
    path = word if "/" in word else _found(word, search)
    return path if path is not None and _is_executable(path) and not _is_remote(path) else None


def same_directory(one: str, other: str) -> bool:
    """Whether two paths are of one directory. It may take any time, as program_of."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False


def is_passed_on(env: Mapping[str, str]) -> bool:
    """Whether a shell gives all of the environment to what it executes."""
    return all(map(_is_variable, env))


def with_directory(env: Mapping[str, str], directory: str) -> Mapping[str, str]:
    """The environment with the PWD that a shell sets."""
    if isinstance(env, ChainMap):
        return ChainMap({**env.maps[0], "PWD": directory}, *env.maps[1:])
    return {**env, "PWD": directory}


@lru_cache(maxsize=1000)
def _is_variable(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _found(name: str, search: str) -> str | None:
    if not search or "%" in search:
        return None  # A shell has a path of its own, or its own use of %.
    for directory in search.split(":"):
        if not directory.startswith("/"):
            return None  # Found from where the shell is: let it.
        path = f"{directory}/{name}"
        if os.access(path, os.X_OK) and _is_file(path):
            return path
    return None


def _is_executable(path: str) -> bool:
    if not (os.access(path, os.X_OK) and _is_file(path)):
        return False
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read(4).startswith(_EXECUTABLE)
    except OSError:
        return False  # To be executed but not read; the shell will see.


def _is_file(path: str) -> bool:
    try:
        return S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _is_remote(path: str) -> bool:
    """Whether to execute the file could wait for another host, or for what serves the files."""
    return _kind_of_mount(os.path.realpath(path)) in _REMOTE


def _kind_of_mount(path: str) -> str:
    """The type of the file system that a path without links is on, "" where that is not known."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            lines = [line.split(" ") for line in file]
    except OSError:
        return ""
    best, kind = "", ""
    for fields in lines:
        # https://www.kernel.org/doc/html/latest/filesystems/proc.html#proc-pid-mountinfo
        point = fields[4].encode().decode("unicode_escape").rstrip("/")
        within = path == point or path.startswith(f"{point}/")
        if within and len(point) >= len(best):
            best, kind = point, fields[fields.index("-") + 1]
    return kind.partition(".")[0]
