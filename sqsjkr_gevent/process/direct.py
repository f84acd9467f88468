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


def directly(command: str, env: Mapping[str, str]) -> tuple[str, list[str]] | None:
    """The path of the program and its argv, None where a shell is needed.

    env: the job's environment, whose PATH is searched.
    """
    if not _PLAIN.fullmatch(command):
        return None
    words = command.split()
    if not words or "=" in words[0] or words[0] in _SHELLS_OWN:
        return None
    path = words[0] if "/" in words[0] else _found(words[0], env.get("PATH", ""))
    return (path, words) if path is not None and _is_executable(path) else None


def passed_on(env: Mapping[str, str]) -> Mapping[str, str] | None:
    """The environment that a shell gives to what it executes; None where it leaves some out."""
    if not all(map(_is_variable, env)):
        return None
    here = os.getcwd()  # noqa: PTH109  (on the way of every job)
    told = env.get("PWD", "")
    if told == here or (told.startswith("/") and _is_same(told, here)):
        return env
    if isinstance(env, ChainMap):
        return ChainMap({**env.maps[0], "PWD": here}, *env.maps[1:])
    return {**env, "PWD": here}


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


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False
