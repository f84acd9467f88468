"""Tables: for people on a terminal, with tabs between the values in a pipe."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .show import safe

if TYPE_CHECKING:
    from rich.table import Table

#: Columns of a terminal between two of a table, and the fewest for a text that is cut.
_GAP = 2
_MIN_CUT = 7

#: Words that say how it stands.
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
    """A column of a table. cut: whether a narrow terminal may show only the start of its texts.

    right: whether they stand at its right side. style: as rich names it.
    """

    name: str
    cut: bool = False
    right: bool = False
    style: str = ""


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A table on a terminal; else a line of names, and values between tabs."""
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(table(columns, rows, console.width))
        return
    print_rows(columns, rows)


def print_rows(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A line of names, then one of values for each row, between tabs."""
    print("\t".join(column.name for column in columns))
    for row in rows:
        print("\t".join(safe(cell) for cell in row))


def colour(word: str) -> str:
    """The style of a word that says how something stands; of any other none."""
    return _COLOURS.get(word, "")


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int) -> "Table":
    """The rows as rich shows them in a terminal of that width."""
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
        # Text, not str: what is in square brackets is no markup of ours.
        made.add_row(*(Text(cell, style=colour(cell)) for cell in row))
    return made


def _widths(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int
) -> list[int | None]:
    """None for a column that is as wide as its texts; what is left is shared by those to be cut."""
    from rich.cells import cell_len

    asked = [
        max([cell_len(column.name), *(cell_len(row[at]) for row in cells)])
        for at, column in enumerate(columns)
    ]
    cut = sorted((room, at) for at, room in enumerate(asked) if columns[at].cut)
    left = width - sum(asked) - _GAP * len(columns) + sum(room for room, _ in cut)
    widths: list[int | None] = [None] * len(columns)
    for number, (room, at) in enumerate(cut):
        given = max(_MIN_CUT, min(room, left // (len(cut) - number)))
        widths[at] = given
        left -= given
    return widths
