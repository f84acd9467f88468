"""The checks of single keys of the config, built on those of config_checks."""

import re
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from .checks import Check, duration, integer, matching, nearest, text, wrong

BACKENDS = ("dynamodb", "sqlite", "memory", "none")

_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def account_id(value: object) -> str:
    """An account id: text, as in sqsjkr, or the number of twelve digits it is at AWS.

    Fewer digits without quotes are refused: TOML has lost the leading zeros by then.
    """
    if isinstance(value, int) and 10**11 <= value < 10**12:
        return str(value)
    return str(
        matching(r"[0-9A-Za-z_-]{1,64}", 'an account id of 12 digits, as in "123456789012"')(value)
    )


def backend_name(value: object) -> str:
    """The name of a backend, or "package.module:Class"."""
    if isinstance(value, str) and (value in BACKENDS or _CLASS_PATH.fullmatch(value)):
        return value
    near = nearest(value, BACKENDS) if isinstance(value, str) else ""
    raise ValueError(
        f"{wrong('one of ' + ', '.join(BACKENDS) + ' or a package.module:Class', value)}{near}"
    )


def web_url(value: object) -> str:
    """An http or https URL with a host."""
    try:
        parts = urlsplit(text(value))
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or re.search(r"\s", str(value)):
        raise wrong("a URL such as http://127.0.0.1:4566", value)
    return str(value)


def port_or_any(value: object) -> int | Literal["any"]:
    """A TCP port, or "any": one that is free, which the system chooses."""
    if value == "any":
        return "any"
    try:
        return int(integer(1, 65535)(value))
    except ValueError:
        raise wrong('1 to 65535, or "any"', value) from None


def token(value: object) -> str:
    """What a client shows to be let in; it has to fit into a header of HTTP."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{8,}", value):
        # Not the value: it is a secret.
        raise ValueError("expected 8 or more letters, digits and signs of ASCII, without blanks")
    return value


def is_loopback(host: str) -> bool:
    """Whether only this host can connect to an address, as far as its text tells."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def days(low: float) -> Check:
    """Seconds, at least `low`, of a duration, or of whole days such as "7d"."""
    seconds = duration(low)

    def check(value: object) -> float:
        whole = re.fullmatch(r"([0-9]{1,5})d", value) if isinstance(value, str) else None
        return float(seconds(int(whole[1]) * 86400 if whole else value))

    return check


def exit_code_list(value: object) -> tuple[int, ...] | Literal["any"]:
    """A list of exit codes, 1 to 255 (0 is success), or "any"."""
    if value == "any":
        return "any"
    one = integer(1, 255)
    try:
        return tuple(one(code) for code in _list(value))
    except ValueError:
        raise wrong('a list of exit codes, 1 to 255, or "any"', value) from None


def host_names(value: object) -> tuple[str, ...]:
    """A list of the names of hosts, without ports."""
    try:
        return tuple(str(_host_name(name)) for name in _list(value))
    except ValueError:
        raise wrong("a list of host names, without ports", value) from None


def inherited_names(value: object) -> bool | tuple[str, ...]:
    """True for the whole environment, or the names of the variables; false is no names."""
    if isinstance(value, bool):
        return value or ()
    try:
        return tuple(str(_variable_name(name)) for name in _list(value))
    except ValueError:
        raise wrong("true, false or a list of variable names", value) from None


_host_name = matching(r"[A-Za-z0-9._-]+", "the name of a host")
_variable_name = matching(r"[^=\0]+", "the name of a variable")


def _list(value: object) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise wrong("a list", value)
    return value
