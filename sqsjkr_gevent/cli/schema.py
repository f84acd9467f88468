"""`schema`: what a job may say, for programs that write or check one."""

import click

from ..job.schema import schema
from .output.show import print_json
from .settings import conf_option


@click.command
@conf_option
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of a message's body.

    It needs no config. A body that fits it is a job that `send` sends and the kicker runs.
    """
    print_json(schema())
