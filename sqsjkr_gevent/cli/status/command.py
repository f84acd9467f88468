"""`status`: shows what the running kicker does, once or until Ctrl-C."""

import sys
import time

import click

from ..loading import load_quietly
from ..output.show import print_json
from ..settings import Settings, conf_option
from ..stats_client import NoAnswer, StatsClient
from .print import print_plain, rendered
from .view import State, facts, parts

#: Seconds between two updates.
INTERVAL = 1.0


@click.command
@conf_option
@click.option("--once", is_flag=True, help="Show it once, even on a terminal.")
@click.option("--json", "json_", is_flag=True, help="Print the kicker's own JSON, once.")
@click.pass_obj
def command(settings: Settings, once: bool, json_: bool) -> None:
    """Show the running kicker: its health, its running jobs, and its waiting jobs.

    On a terminal, the output is updated every second until Ctrl-C. The kicker is found at the
    config's stats address.
    """
    client = StatsClient(load_quietly(settings).kicker)
    state = client.get("/api/state")
    if json_:
        print_json(state)
    elif not sys.stdout.isatty():
        print_plain(facts(state), parts(state))
    elif once:
        from rich.console import Console

        console = Console()
        console.print(rendered(facts(state), parts(state), console.width))
    else:
        try:
            _watch(client, state)
        except KeyboardInterrupt:
            return


def _watch(client: StatsClient, state: State) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    trouble: list[tuple[str, str]] = []
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            shown = [*trouble, *facts(state)]
            live.update(rendered(shown, parts(state), console.width), refresh=True)
            time.sleep(INTERVAL)
            try:
                state, trouble = client.get("/api/state"), []
            except NoAnswer as error:
                # It may be restarting: keep showing the last state, and ask again.
                trouble = [("problem", str(error))]
