"""What `check` finds, one line each."""

from collections.abc import Iterable
from dataclasses import dataclass

import click

OK = "ok"
WARN = "warn"
FAIL = "FAIL"

_COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """level: OK; WARN, it works but not as one would want; FAIL, the kicker will not work.

    what: what was looked at. text: what it is; unless all is well with what to do at its end.
    """

    level: str
    what: str
    text: str


def ok(what: str, text: str) -> Finding:
    """All is well."""
    return Finding(OK, what, text)


def warn(what: str, text: str) -> Finding:
    """It works, but not as one would want."""
    return Finding(WARN, what, text)


def fail(what: str, text: str) -> Finding:
    """The kicker will not work."""
    return Finding(FAIL, what, text)


def show(findings: Iterable[Finding]) -> bool:
    """Print each as it is found; answer whether none of them failed."""
    fine = True
    for finding in findings:
        level = click.style(f"{finding.level:<4}", fg=_COLOURS[finding.level])
        click.echo(f"{level}  {finding.what}: {finding.text}")
        fine = fine and finding.level != FAIL
    return fine
