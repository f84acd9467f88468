"""`status`: what the running kicker does, once or until Ctrl-C."""

import sys
import time

import click

from ..loading import load_quietly
from ..output.show import print_json
from ..settings import Settings, conf_option
from ..stats_client import NoAnswer, StatsClient
from .print import print_plain, rendered
from .view import State, facts, parts

#: Seconds between two looks.
EVERY = 1.0


@click.command
@conf_option
@click.option("--once", is_flag=True, help="Show it one time, also on a terminal.")
@click.option("--json", "json_", is_flag=True, help="As the kicker tells it; one time.")
@click.pass_obj
def command(settings: Settings, once: bool, json_: bool) -> None:
    """Show what the running kicker does: its health, what runs, and what waits for what.

    On a terminal it is shown anew each second, until Ctrl-C. The kicker is asked at the stats
    address of the config.
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
            time.sleep(EVERY)
            try:
                state, trouble = client.get("/api/state"), []
            except NoAnswer as error:
                # It may be restarted: what was seen last stays, and it is asked again.
                trouble = [("problem", str(error))]
