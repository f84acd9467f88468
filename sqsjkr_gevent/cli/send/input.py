"""The input of `send`: jobs from its arguments or from JSON lines. Nothing here sends."""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from ...config.checks import nearest
from ...errors import InvalidMessage
from ...job import Job
from ...job.body import KEYS
from .sender import MAX_MESSAGE_BYTES, Line

_BOM = "\ufeff"


def body_of(command: Sequence[str], env: Sequence[str], **keys: Any) -> str:
    """Make the body of a job from arguments. Raises click.UsageError."""
    job: dict[str, Any] = {"command": command[0] if len(command) == 1 else shlex.join(command)}
    if env:
        job["envs"] = dict(_name_and_value(one) for one in env)
    for key, value in keys.items():
        if isinstance(value, str) and key in ("life_time", "timeout"):
            job[key] = int(value) if re.fullmatch("-?[0-9]+", value) else value
        elif value not in (None, False):
            job[key] = value
    return json.dumps(job, ensure_ascii=False)


def check(line: Line) -> list[str]:
    """Check a body. Returns warnings; raises InvalidMessage."""
    try:
        length = len(line.body.encode())
    except UnicodeEncodeError:
        raise InvalidMessage("expected UTF-8") from None
    if length > MAX_MESSAGE_BYTES:
        raise InvalidMessage(f"expected at most {MAX_MESSAGE_BYTES} bytes, got {length}")
    return [f"unknown key {key!r} is ignored{nearest(key, KEYS)}" for key in Job.check(line.body)]


class JobFile:
    """JSON lines. A regular file is read anew for each iteration; other input is kept in memory.

    name: a path, or - for standard input. Raises click.UsageError if it cannot be read.
    """

    def __init__(self, name: str) -> None:
        self._path: Path | None = None
        self._lines: list[Line] = []
        try:
            if name == "-":
                self._lines = list(read_lines(sys.stdin.buffer))
            elif Path(name).is_file():
                Path(name).open("rb").close()
                self._path = Path(name)
            else:
                with Path(name).open("rb") as file:
                    self._lines = list(read_lines(file))
        except OSError as error:
            raise click.UsageError(f"{name}: cannot be read: {error.strerror or error}.") from None

    def __iter__(self) -> Iterator[Line]:
        if self._path is None:
            yield from self._lines
            return
        with self._path.open("rb") as file:
            yield from read_lines(file)


def read_lines(file: BinaryIO | Iterable[bytes]) -> Iterator[Line]:
    """The lines that are not blank, numbered from 1."""
    for number, raw in enumerate(file, 1):
        # Invalid UTF-8 is kept, for check() to find.
        text = raw.decode("utf-8", "surrogateescape")
        body = (text.removeprefix(_BOM) if number == 1 else text).strip()
        if body:
            yield Line(number, body)


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        # Not the text: the value may be a secret.
        raise click.UsageError("--env: expected NAME=VALUE.")
    return name, value
