"""`sqsjkr-gevent`: the options that all commands share, and how failures are reported."""

import os
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem
from gevent.hub import Hub

from .. import __version__
from ..levels import LEVELS
from ..log import flush
from .argv import with_two_dashes
from .failing import FAILED, explained, is_expected
from .settings import DEFAULT_PATH, PortType, Settings

NAME = "sqsjkr-gevent"

#: The subcommands; each is `command` in the module of its name, which is imported on use.
COMMANDS = {
    "check": "Check that everything the config names exists and fits together.",
    "completion": "Print a shell script that completes this command.",
    "dlq": "Show the dead-letter queue; send its messages again, or delete them.",
    "drain": "Stop the running kicker, and wait until it has ended.",
    "history": "Show how jobs ended.",
    "init": "Create the queue, its dead-letter queue and the table.",
    "local": "Run a kicker with a local SQS and DynamoDB.",
    "locks": "Show who holds which lock; release locks whose holder is gone.",
    "run-job": "Run one job at once, without a queue.",
    "schema": "Print the JSON Schema of a job.",
    "send": "Send one job, or many, to the queue.",
    "status": "Show what the running kicker does.",
}


class LazyGroup(click.Group):
    """Imports a subcommand when it is used, so that `--help` does not import boto3.

    It accepts sqsjkr's one-dash options, also when a shell completes a command line.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        """Give click the arguments with two dashes; it calls this first."""
        return super().make_context(info_name, with_two_dashes(args), parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
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


def _complete_level(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [level for level in LEVELS if level.startswith(incomplete)]


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
    type=click.Path(),  # so that shells complete it
    metavar="FILE",
    help=f"Config file.  [default: {DEFAULT_PATH}]",
)
@click.option(
    "--log-level",
    metavar="LEVEL",
    shell_complete=_complete_level,
    help="debug, info, warn or error.",
)
@click.option("--profile", metavar="NAME", help="AWS profile with the credentials.")
@click.option("--region", metavar="NAME", help="AWS region of the queue and the table.")
@click.option("--lock-table", metavar="NAME", help="Table of both the locker and the throttler.")
@click.option(
    "--stats-socket", type=click.Path(), metavar="PATH", help="Unix socket for the statistics."
)
@click.option(
    "--stats-port",
    type=PortType(),
    metavar="PORT",
    help='TCP port for the statistics; "any" picks a free one.',
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run N kickers, supervised by gunicorn, that share the slots.",
)
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, /, **given: Any) -> None:
    """Run the jobs that the messages of an SQS queue request.

    Without a command, run the kicker until a signal stops it. Options override the config file.
    They may be written with one dash, as in sqsjkr: -conf FILE.
    """
    settings = context.ensure_object(Settings)
    settings.path = given["conf"]
    settings.overrides = {
        "account__profile": _none_if_empty(given["profile"]),
        "account__region": _none_if_empty(given["region"]),
        "kicker__stats_port": _none_if_empty(given["stats_port"]),
        "kicker__stats_socket": _none_if_empty(given["stats_socket"]),
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
        raise click.UsageError("--processes is only for the kicker, without a command.")


def _none_if_empty(value: Any) -> Any:
    """The value of an option; None if it is empty or 0, which means "not set" in sqsjkr."""
    return value or None


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or config."""
    # Otherwise gevent prints a traceback for a Ctrl-C that arrives while it waits.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    settings = Settings()
    try:
        code = cli.main(arguments, prog_name=NAME, standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone: make sure that Python's final flush does not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (--log-level debug shows it)
        return _fail(error, debug=settings.debug)
    return code if isinstance(code, int) else 0


def _fail(error: BaseException, *, debug: bool) -> int:
    code, line = explained(error)
    flush()  # What is printed here comes after the log of what led to it.
    if debug and not is_expected(error):
        traceback.print_exception(error)
    if line:
        print(f"{NAME}: {line}", file=sys.stderr)
    return code
