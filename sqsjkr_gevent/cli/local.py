"""`local`: a kicker with a local SQS and DynamoDB, for a first try."""

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..aws import make_session
from ..aws.provision import steps
from ..config import Config
from ..config.sections import STATS_PORT
from ..errors import SqsjkrError
from ..kicker import Kicker
from ..local import process as local
from .clients import client
from .loading import load_quietly
from .settings import PortType, Settings


@click.command
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Directory for conf.toml.  [default: a temporary directory, removed at the end]",
)
@click.option(
    "--stats-port",
    type=PortType(),
    metavar="PORT",
    help=f'TCP port for the statistics; "any" picks a free one.  [default: {STATS_PORT}]',
)
@click.option("--max-concurrent-num", type=int, metavar="N", help="Limit of concurrent jobs.")
@click.option(
    "--life-time-trigger", metavar="COMMAND", help="Run it for jobs past their life_time."
)
@click.option("--log-format", metavar="FORMAT", help="Log format: text or json.")
@click.pass_obj
def command(settings: Settings, /, directory: Path | None, **given: Any) -> None:
    """Run a kicker with a local SQS and DynamoDB.

    It needs no AWS account and no config, and nothing leaves this host. The queue starts empty
    and is gone at the end. Needs: pip install "sqsjkr-gevent[local]"
    """
    level = settings.overrides.pop("log__level", None)
    port = settings.overrides.pop("kicker__stats_port", None)
    if settings.path is not None or any(settings.overrides.values()):
        raise click.UsageError("local writes its own config: omit --conf and the AWS options.")
    if given["stats_port"] is None:
        given["stats_port"] = port
    log = {"level": level, "format": given.pop("log_format")}
    os.environ.update(_isolated())
    with _directory(directory) as place, local.LocalServer(place / "server.log") as server:
        settings.path = str(local.write_config(place, server.endpoint_url, given, log))
        config = load_quietly(settings)
        _provision(config)
        _print_intro(settings.path, config)
        kicker = Kicker(config)
        server.on_death(kicker.stop)
        kicker.run(log_level=config.log.level)
        died = server.died
    if died:
        raise SqsjkrError(died)


def _isolated() -> dict[str, str]:
    environ = local.environment(os.environ)
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    return environ


@contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="sqsjkr-gevent-") as fresh:
        yield Path(fresh)


def _provision(config: Config) -> None:
    session = make_session(config.account)
    sqs = client(session, config.account, "sqs")
    dynamodb = client(session, config.account, "dynamodb")
    for step in steps(config, sqs, dynamodb):
        if not step.exists:
            step.create()


def _print_intro(path: str, config: Config) -> None:
    kicker = config.kicker
    page = f"http://{kicker.stats_address}/" if kicker.port else "see the line `stats` below"
    credentials = " ".join(f"{name}={value}" for name, value in local.CREDENTIALS.items())
    print(
        f"""Queue {config.sqs.queue_name} is at {config.account.endpoint_url}, in memory only.
config: {path}
page:   {page}
Send a job from another terminal:

    env {credentials} {_this_command()} -c {shlex.quote(path)} send -- 'echo hello'

Ctrl-C stops the kicker.
""",
        flush=True,
    )


def _this_command() -> str:
    """This command with its full path, since another terminal may have another PATH."""
    script = shutil.which(sys.argv[0])
    if script is None or Path(script).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m sqsjkr_gevent"
    return shlex.quote(str(Path(script).absolute()))
