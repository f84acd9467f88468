"""A progress bar, where somebody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(
    count: int, *, least: int, what: str = "sending"
) -> Iterator[Callable[[int], None]]:
    """Gives what is told of each step; a bar on standard error where that is a terminal.

    least: no bar for this many or fewer. what: the word before it.
    """
    console = Console(stderr=True)
    if not console.is_terminal or count <= least:
        yield lambda done: None
        return
    # What is printed to the same terminal must pass above the bar; what goes to a file must not.
    with Progress(console=console, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task(what, total=count)
        yield lambda done: progress.advance(task, done)
