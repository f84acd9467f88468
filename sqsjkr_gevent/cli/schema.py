"""`schema`: what a job may say, for programs that write or check one."""

import click

from ..job_schema import schema
from .settings import conf_option
from .show import print_json


@click.command
@conf_option
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of a message's body.

    It needs no config. A body that fits it is a job that `send` sends and the kicker runs.
    """
    print_json(schema())
