"""Checks of particular config keys, built on the general ones in checks.py."""

import re
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from .backends import BACKENDS
from .checks import Check, duration, integer, matching, nearest, text, wrong

_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def account_id(value: object) -> str:
    """An account id: text, as in sqsjkr, or a number of twelve digits, as at AWS.

    A number with fewer digits is rejected: without quotes, its leading zeros are lost.
    """
    if isinstance(value, int) and 10**11 <= value < 10**12:
        return str(value)
    return str(
        matching(r"[0-9A-Za-z_-]{1,64}", 'an account id of 12 digits, as in "123456789012"')(value)
    )


def backend_name(value: object) -> str:
    """The name of a backend, or "package.module:Class" for a custom one."""
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


def redis_url(value: object) -> str:
    """A URL of Redis: redis:// or rediss:// with a host, or unix:// with a path.

    The error does not show the value, which may have a password in it.
    """
    try:
        parts = urlsplit(text(value))
        if parts.scheme == "unix":
            fine = parts.hostname is None and parts.path.startswith("/")
        else:
            fine = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
            fine = fine and re.fullmatch(r"(/[0-9]{0,5})?", parts.path) is not None
        # A "#" is that of a password which is not percent-encoded.
        fine = fine and not parts.fragment and not re.search(r"\s", str(value))
    except ValueError:
        fine = False
    if not fine:
        raise ValueError(
            "expected a URL such as redis://127.0.0.1:6379/0, rediss://:PASSWORD@HOST or "
            "unix:///PATH; write a special character of a password as %XX"
        )
    return str(value)


def port_or_any(value: object) -> int | Literal["any"]:
    """A TCP port, or "any": a free one that the system chooses."""
    if value == "any":
        return "any"
    try:
        return int(integer(1, 65535)(value))
    except ValueError:
        raise wrong('1 to 65535, or "any"', value) from None


def token(value: object) -> str:
    """An access token, which must fit into an HTTP header."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{8,}", value):
        # Without the value, which is a secret.
        raise ValueError("expected at least 8 printable ASCII characters, without spaces")
    return value


def is_loopback(host: str) -> bool:
    """Whether a host name or address is clearly reachable from this host only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def days(low: float) -> Check:
    """Seconds, at least `low`, from a duration or from whole days such as "7d"."""
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
    """A list of host names, without ports."""
    try:
        return tuple(str(_host_name(name)) for name in _list(value))
    except ValueError:
        raise wrong("a list of host names, without ports", value) from None


def inherited_names(value: object) -> bool | tuple[str, ...]:
    """True for the whole environment, else the names of the variables; false: no names."""
    if isinstance(value, bool):
        return value or ()
    try:
        return tuple(str(_variable_name(name)) for name in _list(value))
    except ValueError:
        raise wrong("true, false or a list of variable names", value) from None


_host_name = matching(r"[A-Za-z0-9._-]+", "a host name")
_variable_name = matching(r"[^=\0]+", "a variable name")


def _list(value: object) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise wrong("a list", value)
    return value
