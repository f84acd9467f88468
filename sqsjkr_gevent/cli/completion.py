"""`completion`: a shell script that completes this command."""

import click
from click.shell_completion import get_completion_class

from .settings import conf_option

#: Set by the printed script; click expects this name.
VARIABLE = "_SQSJKR_GEVENT_COMPLETE"


@click.command
@conf_option
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script for SHELL that completes commands, options and their values.

    \b
    bash: eval "$(sqsjkr-gevent completion bash)"    in ~/.bashrc
    zsh:  eval "$(sqsjkr-gevent completion zsh)"     in ~/.zshrc
    fish: sqsjkr-gevent completion fish | source     in ~/.config/fish/config.fish
    """  # noqa: D301 (click does not wrap the lines after \b)
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root()
    print(kind(root.command, {}, root.info_name or "", VARIABLE).source())
