"""Accepts sqsjkr's option syntax: in Go, `-conf x` and `-conf=x` mean `--conf x`."""

from collections.abc import Sequence

#: The options of sqsjkr, and whether they take a value.
GO_OPTIONS = {
    "conf": True,
    "log-level": True,
    "profile": True,
    "region": True,
    "lock-table": True,
    "stats-socket": True,
    "stats-port": True,
    "version": False,
}

#: Options that sqsjkr lacks and that take a value, needed to find where the options end.
_OWN_WITH_VALUE = frozenset({"-c", "--config", "--processes"})


def with_two_dashes(arguments: Sequence[str]) -> list[str]:
    """The arguments, with sqsjkr's one-dash options turned into two-dash ones.

    Arguments after the subcommand, such as a job's command, are left unchanged.
    """
    result: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        option = _with_two_dashes(rest.pop(0))
        result.append(option)
        if _takes_next(option):
            result += rest[:1]
            del rest[:1]
    return result + rest


def _with_two_dashes(argument: str) -> str:
    name = argument[1:].partition("=")[0]
    return f"-{argument}" if name in GO_OPTIONS else argument


def _takes_next(option: str) -> bool:
    return option in _OWN_WITH_VALUE or (
        option.startswith("--") and GO_OPTIONS.get(option[2:], False)
    )
