"""`sqsjkr-gevent`: the options that all commands share, and what its failures look like."""

import os
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem
from gevent.hub import Hub

from .. import __version__
from .argv import with_two_dashes
from .failing import FAILED, explained, is_foreseen
from .settings import DEFAULT_PATH, PortType, Settings

NAME = "sqsjkr-gevent"

#: The subcommands; each is `command` in the module of its name, which only its use imports.
COMMANDS = {
    "check": "Look whether everything that the config names is there and fits.",
    "completion": "Print what makes a shell complete this command.",
    "dlq": "Look at the dead-letter queue; send its messages again, or delete them.",
    "drain": "Tell the running kicker to stop, and wait until it has.",
    "history": "Show how jobs ended.",
    "init": "Create the queue, its dead-letter queue and the table.",
    "local": "Run a kicker with an SQS and a DynamoDB of its own, on this host.",
    "locks": "Show who holds which lock; release one whose holder is gone.",
    "run-job": "Run one job here and now, without a queue.",
    "schema": "Print the JSON Schema of a job.",
    "send": "Send one job, or many, to the queue.",
    "status": "Show what the running kicker does.",
}


class LazyGroup(click.Group):
    """Imports a subcommand when it is used, so that `--help` needs no boto3.

    It takes sqsjkr's options with one dash, also those that a shell completes after.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        """Where arguments are first looked at."""
        return super().make_context(info_name, with_two_dashes(args), parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(
            f".{cmd_name.replace('-', '_')}", __package__
        ).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands from the table, then options."""
        return [
            *(
                CompletionItem(name, help=text)
                for name, text in sorted(COMMANDS.items())
                if name.startswith(incomplete)
            ),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


def _log_levels(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [level for level in ("debug", "info", "warn", "error") if level.startswith(incomplete)]


@click.group(
    NAME,
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-c",
    "--conf",
    "--config",
    type=click.Path(),  # what a shell completes
    metavar="FILE",
    help=f"Config file.  [default: {DEFAULT_PATH}]",
)
@click.option(
    "--log-level",
    metavar="LEVEL",
    shell_complete=_log_levels,
    help="debug, info, warn or error.",
)
@click.option("--profile", metavar="NAME", help="Profile of ~/.aws to take credentials from.")
@click.option("--region", metavar="NAME", help="Region of queue and table.")
@click.option("--lock-table", metavar="NAME", help="Table of both locker and throttler.")
@click.option(
    "--stats-socket", type=click.Path(), metavar="PATH", help="Unix socket for the statistics."
)
@click.option(
    "--stats-port",
    type=PortType(),
    metavar="PORT",
    help='TCP port for the statistics; "any" is one that is free.',
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many kickers, supervised by gunicorn; the slots are shared out.",
)
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
        "account__profile": _said(given["profile"]),
        "account__region": _said(given["region"]),
        "kicker__stats_port": _said(given["stats_port"]),
        "kicker__stats_socket": _said(given["stats_socket"]),
        "locker__table": given["lock_table"],
        "log__level": given["log_level"],
        "throttler__table": given["lock_table"],
    }
    settings.debug = (given["log_level"] or "").lower() == "debug"
    if context.invoked_subcommand is None:
        if given["processes"] is None:
            import_module(".run", __package__).run(settings)
        else:
            import_module(".fleet", __package__).run(settings, given["processes"])
    elif given["processes"] is not None:
        raise click.UsageError("--processes is for the kicker alone, without a command.")


def _said(value: Any) -> Any:
    """The value of an option; None for an empty one or a 0, with which sqsjkr's says nothing."""
    return value or None


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or config."""
    # gevent would print a traceback for a Ctrl-C that arrives while it waits.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    sys.exit(_run(sys.argv[1:]))


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
