"""A progress bar for terminals."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(
    count: int, *, hidden_up_to: int, what: str = "sending"
) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error if it is a terminal; yields the function to advance it.

    hidden_up_to: no bar for this count or less. what: the word before the bar.
    """
    console = Console(stderr=True)
    if not console.is_terminal or count <= hidden_up_to:
        yield lambda done: None
        return
    # Redirect standard output, so that it appears above the bar, only if it is a terminal too.
    with Progress(console=console, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task(what, total=count)
        yield lambda done: progress.advance(task, done)
