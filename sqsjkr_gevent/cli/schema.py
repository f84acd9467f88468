"""`schema`: the format of a job, for programs that write or check one."""

import click

from ..job.schema import schema
from .output.show import print_json
from .settings import conf_option


@click.command
@conf_option
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of a message's body.

    It needs no config. `send` and the kicker accept a body that matches the schema.
    """
    print_json(schema())
