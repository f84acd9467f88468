"""Decides which commands need no shell, and what to execute for them. `make` does the same.

Given a program's name and plain words, a shell looks the program up and executes it. Doing this
directly saves the start of the shell, a third of a short job's time. If there is any doubt that the
result is the same, the command goes to the shell.
"""

import os
import re
import signal
from collections import ChainMap
from collections.abc import Mapping
from functools import lru_cache
from stat import S_ISREG

#: Characters that are not special to any shell anywhere in a word.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./=\- \t]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Builtins and keywords of dash and bash; a program of the same name may behave differently.
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

#: First bytes of files that the kernel can execute; a shell would run any other file as a script.
_EXECUTABLE = (b"\x7fELF", b"#!")

#: Types of remote file systems, as mountinfo names them, without the part after a dot.
_REMOTE = frozenset(
    re.split(
        r"\s+",
        """9p afs autofs ceph cifs coda fuse fuseblk glusterfs gpfs lustre ncpfs nfs nfs4 smb3
        smbfs""",
    )
)

#: Its path on POSIX systems, whatever the job's PATH is.
SHELL = "/bin/sh"


def shell_kind() -> str:
    """The name of the program behind sh. Only for "dash" and "bash" do we know the exit status."""
    return os.path.basename(os.path.realpath(SHELL))  # noqa: PTH119


def as_dash_ends(status: int) -> tuple[int, bytes]:
    """The exit status and message of a dash whose program was killed by a signal.

    dash runs the program in a child process; bash replaces itself with it, so the status is the
    program's own. status: minus the signal's number.
    """
    number = -status
    silent = number in (signal.SIGINT, signal.SIGPIPE)
    return 128 + number, b"" if silent else f"{signal.strsignal(number)}\n".encode()


def words_of(command: str) -> list[str] | None:
    """The words of a command that a shell would just execute; None if it needs a shell."""
    if not _PLAIN.fullmatch(command):
        return None
    words = command.split()
    return None if not words or "=" in words[0] or words[0] in _SHELLS_OWN else words


def program_of(word: str, search: str) -> str | None:
    """The path of the program that a shell would execute for a command's first word.

    search: the PATH. None if that is uncertain, or if the file is on another host, which may not
    respond. Reads files, which may take any time: do not call it in the hub.
    """
    path = word if "/" in word else _found(word, search)
    return path if path is not None and _is_executable(path) and not _is_remote(path) else None


def same_directory(one: str, other: str) -> bool:
    """Whether two paths are the same directory. May take any time, as program_of."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False


def is_passed_on(env: Mapping[str, str]) -> bool:
    """Whether a shell passes the whole environment to the programs that it executes."""
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
        return None  # The shell would use its default path, or treat % in its own way.
    for directory in search.split(":"):
        if not directory.startswith("/"):
            return None  # Relative to the shell's directory: leave it to the shell.
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
        return False  # Perhaps executable but not readable: leave it to the shell.


def _is_file(path: str) -> bool:
    try:
        return S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _is_remote(path: str) -> bool:
    """Whether executing the file may have to wait for another host or a file system daemon."""
    return _kind_of_mount(os.path.realpath(path)) in _REMOTE


def _kind_of_mount(path: str) -> str:
    """The type of the file system of a path without symbolic links, "" if unknown."""
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
