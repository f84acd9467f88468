"""The findings of `check`, one line each."""

from collections.abc import Iterable
from dataclasses import dataclass

import click

OK = "ok"
WARN = "warn"
FAIL = "FAIL"

_COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A result of a check.

    level: OK; WARN: the kicker works, but not as well as it could; FAIL: it does not work.
    what: what was checked. text: the result; for WARN and FAIL, followed by what to do.
    """

    level: str
    what: str
    text: str


def ok(what: str, text: str) -> Finding:
    """A finding of level OK."""
    return Finding(OK, what, text)


def warn(what: str, text: str) -> Finding:
    """A finding of level WARN."""
    return Finding(WARN, what, text)


def fail(what: str, text: str) -> Finding:
    """A finding of level FAIL."""
    return Finding(FAIL, what, text)


def print_findings(findings: Iterable[Finding]) -> bool:
    """Print each finding as it comes. Returns whether there was no FAIL."""
    is_fine = True
    for finding in findings:
        level = click.style(f"{finding.level:<4}", fg=_COLOURS[finding.level])
        click.echo(f"{level}  {finding.what}: {finding.text}")
        is_fine = is_fine and finding.level != FAIL
    return is_fine
