"""A kicker's state as text: for a pipe, or for rich on a terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..output.show import safe
from ..output.tables import colour, print_rows, table
from .view import Part

if TYPE_CHECKING:
    from rich.console import Group

#: Width of the names of facts.
_NAME_WIDTH = 8


def print_plain(facts: Iterable[tuple[str, str]], parts: Iterable[Part]) -> None:
    """Print facts as names and values, then each table under its title."""
    for name, value in facts:
        print(f"{name:<{_NAME_WIDTH}}  {safe(value)}")
    for part in parts:
        print(f"\n{part.title}")
        print_rows(part.columns, part.rows)


def rendered(facts: Iterable[tuple[str, str]], parts: Iterable[Part], width: int) -> "Group":
    """The same output for a terminal of this width."""
    from rich.console import Group
    from rich.text import Text

    lines: list[object] = [
        Text.assemble((f"{name:<{_NAME_WIDTH}}  ", "bold"), (safe(value), _style(name, value)))
        for name, value in facts
    ]
    for part in parts:
        lines += [Text(f"\n{part.title}", style="bold"), table(part.columns, part.rows, width)]
    return Group(*lines)  # type: ignore[arg-type]


def _style(name: str, value: str) -> str:
    return "red" if name in ("problem", "error") else colour(value)
