"""`sqsjkr-gevent`: the options that all commands share, and what its failures look like."""

import os
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

import click
from gevent.hub import Hub

from .. import __version__
from .argv import with_two_dashes
from .failing import FAILED, explained, is_foreseen
from .settings import DEFAULT_PATH, Settings

NAME = "sqsjkr-gevent"

#: The subcommands; each is `command` in the module of its name, which only its use imports.
COMMANDS = {
    "check": "Look whether everything that the config names is there and fits.",
    "init": "Create the queue, its dead-letter queue and the table.",
    "local": "Run a kicker with an SQS and a DynamoDB of its own, on this host.",
    "send": "Send one job, or many, to the queue.",
}


class LazyGroup(click.Group):
    """Imports a subcommand when it is used, so that `--help` needs no boto3."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    NAME,
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-c", "--conf", "--config", metavar="FILE", help=f"Config file.  [default: {DEFAULT_PATH}]"
)
@click.option("--log-level", metavar="LEVEL", help="debug, info, warn or error.")
@click.option("--profile", metavar="NAME", help="Profile of ~/.aws to take credentials from.")
@click.option("--region", metavar="NAME", help="Region of queue and table.")
@click.option("--lock-table", metavar="NAME", help="Table of both locker and throttler.")
@click.option("--stats-socket", metavar="PATH", help="Unix socket for the statistics.")
@click.option("--stats-port", type=int, metavar="PORT", help="TCP port for the statistics.")
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, /, **given: Any) -> None:
    """Run the jobs that messages of an SQS queue ask for.

    Without a command it runs the kicker, until a signal stops it. Options come before the values
    of the config file. They may be written with one dash, as sqsjkr's: -conf FILE.
    """
    settings = context.ensure_object(Settings)
    settings.path = given["conf"]
    settings.overrides = {
        "account__profile": given["profile"],
        "account__region": given["region"],
        "kicker__stats_port": given["stats_port"],
        "kicker__stats_socket": given["stats_socket"],
        "locker__table": given["lock_table"],
        "log__level": given["log_level"],
        "throttler__table": given["lock_table"],
    }
    settings.debug = given["log_level"] == "debug"
    if context.invoked_subcommand is None:
        import_module(".run", __package__).run(settings)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or config."""
    # gevent would print a traceback for a Ctrl-C that arrives while it waits.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    sys.exit(_run(with_two_dashes(sys.argv[1:])))


def _run(arguments: list[str]) -> int:
    settings = Settings()
    try:
        code = cli.main(arguments, prog_name=NAME, standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads any more; what is left must not fail again when Python flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (a traceback is for --log-level debug)
        return _fail(error, debug=settings.debug)
    return code if isinstance(code, int) else 0


def _fail(error: BaseException, *, debug: bool) -> int:
    code, line = explained(error)
    if debug and not is_foreseen(error):
        traceback.print_exception(error)
    if line:
        print(f"{NAME}: {line}", file=sys.stderr)
    return code
