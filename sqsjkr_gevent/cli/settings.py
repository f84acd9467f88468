"""What the options before the subcommand say. It imports little, for a quick `--help`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

DEFAULT_PATH = "/etc/sqsjkr/config.toml"

F = TypeVar("F", bound=Callable[..., Any])


class PortType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A TCP port, or "any": one that is free. The config's checks tell whether it is in range."""

    name = "port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number, or "any"."""
        if value == "any":
            return "any"
        try:
            return int(value)
        except ValueError:
            self.fail(f'expected a number or "any", got {value!r}', param, ctx)


@dataclass
class Settings:
    """The options that all commands share.

    path: the config file, None where none was named.
    overrides: as Config.load takes them.
    debug: whether debug output is asked for, be it here or in the config.
    """

    path: str | None = None
    overrides: dict[str, object] = field(default_factory=dict)
    debug: bool = False

    @property
    def file(self) -> str:
        """The config file that is used."""
        return self.path or DEFAULT_PATH


def conf_option(command: F) -> F:
    """Takes -c after the subcommand as well as before it."""

    def remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.find_object(Settings).path = value  # type: ignore[union-attr]

    return click.option(
        "-c",
        "--conf",
        "--config",
        type=click.Path(),
        metavar="FILE",
        expose_value=False,
        callback=remember,
        help="Config file; the same as before the command.",
    )(command)
