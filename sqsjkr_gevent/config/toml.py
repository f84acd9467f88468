"""Reads a TOML file into its tables; errors name the line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import toml

from ..errors import ConfigError

#: A section appended to the text to find out whether the text is complete.
_SENTINEL = "sqsjkr-gevent-end"

#: Error messages of the toml package, and plainer ones to replace them.
_NO_VALUE = r"(invalid literal for int\(\) with base 0|could not convert string to float):"
_PLAINER = (
    (r"What\? (.*?) already exists\?.*", r"\1 is defined twice"),
    (_NO_VALUE, "neither a number nor text in quotes:"),
    (r"Exceeds the limit .*", "a number has thousands of digits"),
)

#: Bytes of a file at most: far more than a config has. The package takes seconds for as many [, and
#: much longer for more.
MAX_BYTES = 1 << 16

#: Characters of an error's reason; the package repeats what it cannot read.
_MAX_REASON = 200


def read_text(path: str | Path) -> str:
    """Read a UTF-8 file; raises ConfigError if that fails."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `sqsjkr-gevent init` writes one") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise _too_long(str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8") from None


def parse_toml(text: str, origin: str) -> Mapping[str, Any]:
    """Parse a TOML text into its tables; raises ConfigError, which names the line."""
    if len(text) > MAX_BYTES:
        raise _too_long(origin)
    try:
        tables: dict[str, Any] = dict(toml.loads(text))
    except toml.TomlDecodeError as error:
        raise _error(origin, error.lineno, error.msg) from None
    except Exception as error:  # noqa: BLE001
        # On some invalid texts the package itself fails, for example with IndexError or TypeError.
        raise _error(origin, _failing_line(text), f"cannot be parsed ({error})") from None
    if not _is_complete(text):
        # At the end of the file, the package closes an open array and drops its last value.
        raise _error(origin, len(text.splitlines()), "the file ends within a list: ] is missing")
    return tables


def _is_complete(text: str) -> bool:
    try:
        return bool(toml.loads(f"{text}\n[{_SENTINEL}]\n").get(_SENTINEL) == {})
    except Exception:  # noqa: BLE001 (as above)
        return False


def _failing_line(text: str) -> int:
    """The first line at which the package itself fails."""
    lines = text.splitlines()
    for count in range(1, len(lines)):
        try:
            toml.loads("\n".join(lines[:count]))
        except toml.TomlDecodeError:
            continue  # the cut is within a value
        except Exception:  # noqa: BLE001 (as above)
            return count
    return len(lines)


def _error(origin: str, line: int, reason: str) -> ConfigError:
    for pattern, plain in _PLAINER:
        reason = re.sub(pattern, plain, reason, flags=re.DOTALL)
    reason = " ".join(reason.split())
    if len(reason) > _MAX_REASON:
        reason = reason[:_MAX_REASON] + " ..."
    return ConfigError(f"{origin}, line {line}: {reason}")


def _too_long(origin: str) -> ConfigError:
    return ConfigError(f"{origin}: expected at most {MAX_BYTES} bytes: is it a config file?")
