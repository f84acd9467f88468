"""`drain`: stops the running kicker, and shows what it still waits for."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ...duration import format_duration
from ...errors import SqsjkrError
from ..loading import load_quietly
from ..output.show import tell
from ..settings import Settings, conf_option
from ..stats_client import StatsClient
from ..status.print import print_plain, rendered
from ..status.view import State, jobs
from .listening import require_listener

#: Seconds between two looks, at the process and at what it does.
EVERY = 0.2
SHOWN_EVERY = 1.0


@click.command
@conf_option
@click.pass_obj
def command(settings: Settings) -> None:
    """Tell the running kicker of this host to stop, and wait until it has.

    It receives no more, gives back what has not started, and waits for what runs, at most
    kicker.shutdown_timeout. What still runs is shown meanwhile. Ctrl-C ends the looking on only.
    """
    section = load_quietly(settings).kicker
    client = StatsClient(section)
    state = client.get("/api/state")
    host, pid = state["host"], int(state["main_pid"])
    if pid < 1:  # to kill(), groups of processes
        raise SqsjkrError(f"what answers at {client.address} is no kicker: it names no process")
    if host != socket.gethostname():
        raise SqsjkrError(f"the kicker runs on {host}, as process {pid}: drain it there")
    require_listener(section, pid)
    _terminate(pid)
    left = format_duration(section.shutdown_timeout)
    tell(f"the kicker, process {pid}, was told to stop; what runs may take {left} to end")
    with _shown() as show:
        _follow(client, pid, state, show)
    print(f"the kicker, process {pid}, has stopped")


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        raise SqsjkrError(f"the kicker, process {pid}, has ended already") from None
    except PermissionError:
        raise SqsjkrError(f"the kicker, process {pid}, is another user's: use sudo") from None


def _follow(client: StatsClient, pid: int, state: State, show: Callable[[State], None]) -> None:
    shown_at = 0.0
    while _lives(pid):
        if time.monotonic() - shown_at >= SHOWN_EVERY:
            shown_at = time.monotonic()
            try:
                state = client.get("/api/state")
            except SqsjkrError:
                pass  # It ends: what was seen last is as near as one gets.
            show(state)
        time.sleep(EVERY)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether it is over, and only its parent has not taken note."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


@contextmanager
def _shown() -> Iterator[Callable[[State], None]]:
    """What is told of each state: a picture that changes, or lines where something changed."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda state: live.update(
                rendered(_count(state), jobs(state), console.width), refresh=True
            )
        return
    last: list[object] = [None]

    def lines(state: State) -> None:
        ids = sorted(job["job_id"] for job in state["running"])
        if ids != last[0]:
            last[0] = ids
            print_plain(_count(state), jobs(state))
            sys.stdout.flush()

    yield lines


def _count(state: State) -> list[tuple[str, str]]:
    return [("still", f"{state['busy']} running, {state['waiting']} waiting")]
