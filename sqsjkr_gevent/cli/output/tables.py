"""Tables: formatted on a terminal, separated by tabs in a pipe."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .show import safe

if TYPE_CHECKING:
    from rich.table import Table

#: Characters between two columns, and the minimal width of a column that is cut.
_GAP = 2
_MIN_CUT = 7

#: Words for a state or an outcome.
_COLOURS = {
    "ok": "green",
    "running": "green",
    "succeeded": "green",
    "failing": "bold red",
    "errored": "red",
    "failed": "red",
    "invalid": "red",
    "draining": "yellow",
    "returned": "yellow",
    "duplicate": "yellow",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. cut: whether its texts may be cut on a narrow terminal.

    right: whether its texts are right-aligned. style: a style of rich.
    """

    name: str
    cut: bool = False
    right: bool = False
    style: str = ""


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, else rows as print_rows does."""
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(table(columns, rows, console.width))
        return
    print_rows(columns, rows)


def print_rows(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a line of names, then a line of values for each row, separated by tabs."""
    print("\t".join(column.name for column in columns))
    for row in rows:
        print("\t".join(safe(cell) for cell in row))


def colour(word: str) -> str:
    """The style for a state or an outcome; empty for other words."""
    return _COLOURS.get(word, "")


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int) -> "Table":
    """The table for rich, for a terminal of this width."""
    from rich.table import Table
    from rich.text import Text

    cells = [[safe(cell) for cell in row] for row in rows]
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, room in zip(columns, _widths(columns, cells, width), strict=True):
        made.add_column(
            column.name.upper(),
            style=column.style,
            justify="right" if column.right else "left",
            width=room,
            no_wrap=column.cut,
            overflow="ellipsis" if column.cut else "fold",
        )
    for row in cells:
        # Text, not str: square brackets in it are not markup.
        made.add_row(*(Text(cell, style=colour(cell)) for cell in row))
    return made


def _widths(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int
) -> list[int | None]:
    """The widths of columns that may be cut, which share the remaining width; None for others."""
    from rich.cells import cell_len

    wanted = [
        max([cell_len(column.name), *(cell_len(row[at]) for row in cells)])
        for at, column in enumerate(columns)
    ]
    cut = sorted((room, at) for at, room in enumerate(wanted) if columns[at].cut)
    left = width - sum(wanted) - _GAP * len(columns) + sum(room for room, _ in cut)
    widths: list[int | None] = [None] * len(columns)
    for number, (room, at) in enumerate(cut):
        given = max(_MIN_CUT, min(room, left // (len(cut) - number)))
        widths[at] = given
        left -= given
    return widths
