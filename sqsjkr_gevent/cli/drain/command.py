"""`drain`: stops the running kicker, and shows the jobs it still waits for."""

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
from ..output.show import print_note
from ..settings import Settings, conf_option
from ..stats_client import StatsClient
from ..status.print import print_plain, rendered
from ..status.view import State, jobs
from .listening import require_listener

#: Seconds between two checks of the process, and between two updates of the output.
CHECK_INTERVAL = 0.2
SHOW_INTERVAL = 1.0


@click.command
@conf_option
@click.pass_obj
def command(settings: Settings) -> None:
    """Stop the running kicker of this host, and wait until it has ended.

    The kicker stops receiving, returns jobs that have not started, and waits for running jobs up
    to kicker.shutdown_timeout. They are shown meanwhile. Ctrl-C ends the command, but the kicker
    continues to stop.
    """
    section = load_quietly(settings).kicker
    client = StatsClient(section)
    state = client.get("/api/state")
    host, pid = state["host"], int(state["main_pid"])
    if pid < 1:  # for kill(), a process group
        raise SqsjkrError(f"the server at {client.address} is not a kicker: its pid is {pid}")
    if host != socket.gethostname():
        raise SqsjkrError(f"the kicker runs on {host}, as process {pid}: drain it there")
    require_listener(section, pid)
    _terminate(pid)
    limit = format_duration(section.shutdown_timeout)
    print_note(f"the kicker, process {pid}, is stopping; running jobs have {limit} to finish")
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
    while _is_alive(pid):
        if time.monotonic() - shown_at >= SHOW_INTERVAL:
            shown_at = time.monotonic()
            try:
                state = client.get("/api/state")
            except SqsjkrError:
                pass  # The kicker is ending: keep showing the last state.
            show(state)
        time.sleep(CHECK_INTERVAL)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended, but its parent has not reaped it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


@contextmanager
def _shown() -> Iterator[Callable[[State], None]]:
    """Yield a function that shows a state: in place on a terminal, else as lines on a change."""
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
