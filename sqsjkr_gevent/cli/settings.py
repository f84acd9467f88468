"""The options before the subcommand. It imports little, to keep `--help` fast."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

DEFAULT_PATH = "/etc/sqsjkr/config.toml"

F = TypeVar("F", bound=Callable[..., Any])


class PortType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A TCP port, or "any" for a free one. The config checks the range."""

    name = "port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Convert to a number; "any" stays."""
        if value == "any":
            return "any"
        try:
            return int(value)
        except ValueError:
            self.fail(f'expected a number or "any", got {value!r}', param, ctx)


@dataclass
class Settings:
    """The options that all commands share.

    path: the config file; None if not given.
    overrides: as for Config.load.
    debug: whether the log level is debug, by option or config.
    """

    path: str | None = None
    overrides: dict[str, object] = field(default_factory=dict)
    debug: bool = False

    @property
    def file(self) -> str:
        """The config file in use."""
        return self.path or DEFAULT_PATH


def conf_option(command: F) -> F:
    """Let a subcommand accept -c, as well as the group before it."""

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
