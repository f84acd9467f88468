"""A log line as text: `TIMESTAMP [level    ] event key=value ...`, then the traceback if any.

Text from outside is quoted or escaped, so that it can neither pass for a part of the line nor
control the terminal that shows it. Events and names of fields are constants of the code.
"""

from collections.abc import Mapping

from .shown import shown, trace, visible
from .timestamp import timestamp

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_RED, _GREEN, _YELLOW, _MAGENTA, _CYAN = (f"\x1b[{code}m" for code in (31, 32, 33, 35, 36))

_LEVEL_COLOURS = {"debug": _GREEN, "info": _GREEN, "warning": _YELLOW}


def render(
    at: int, level: str, event: str, fields: Mapping[str, object], error: BaseException | None
) -> str:
    """The line. at: nanoseconds since the epoch."""
    return f"{timestamp(at)} [{level:<9}] {plain(event, fields)}{_traceback(error)}"


def render_coloured(
    at: int, level: str, event: str, fields: Mapping[str, object], error: BaseException | None
) -> str:
    """The line, for a terminal."""
    colour = _LEVEL_COLOURS.get(level, _RED)
    pairs = "".join(
        f" {_CYAN}{name}{_RESET}={_MAGENTA}{_quoted(value)}{_RESET}"
        for name, value in fields.items()
    )
    return (
        f"{_DIM}{timestamp(at)}{_RESET} [{colour}{_BOLD}{level:<9}{_RESET}] "
        f"{_BOLD}{visible(event, lines=True)}{_RESET}{pairs}{_traceback(error)}"
    )


def plain(event: str, fields: Mapping[str, object]) -> str:
    """The event and its fields, without time and level."""
    pairs = [f" {name}={_quoted(value)}" for name, value in fields.items()]
    return f"{visible(event, lines=True)}{''.join(pairs)}"


def _quoted(value: object) -> str:
    if type(value) is not str:
        return visible(shown(value))
    if not value.isprintable() or " " in value or "=" in value or "'" in value or '"' in value:
        return repr(value)
    return value


def _traceback(error: BaseException | None) -> str:
    return "" if error is None else "\n" + visible(trace(error), lines=True)
