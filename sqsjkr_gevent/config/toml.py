"""From a file to the tables in it: read, decode, parse, and say where it fails."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import toml

from ..errors import ConfigError

#: A section that is appended to see whether the text before it was complete.
_SENTINEL = "sqsjkr-gevent-end"

#: What the toml package says, and what it means to somebody who looks at the file.
_NO_VALUE = r"(invalid literal for int\(\) with base 0|could not convert string to float):"
_PLAINER = (
    (r"What\? (.*?) already exists\?.*", r"\1 is there twice"),
    (_NO_VALUE, "neither a number nor text in quotes:"),
)


def read_text(path: str | Path) -> str:
    """The text of a file, which has to be UTF-8; raises ConfigError where it cannot be read."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `sqsjkr-gevent init` writes one") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8") from None


def parse_toml(text: str, origin: str) -> Mapping[str, Any]:
    """The tables of a TOML text; raises ConfigError with the line where it is none."""
    try:
        tables: dict[str, Any] = dict(toml.loads(text))
    except toml.TomlDecodeError as error:
        raise _error(origin, error.lineno, error.msg) from None
    except Exception as error:  # noqa: BLE001
        # The package's own faults, IndexError and TypeError among them, on some wrong texts.
        raise _error(origin, _failing_line(text), f"cannot be parsed ({error})") from None
    if not _is_complete(text):
        # The package ends an array at the end of the file, and drops what is open in it.
        raise _error(origin, len(text.splitlines()), "the file ends within a list: ] is missing")
    return tables


def _is_complete(text: str) -> bool:
    try:
        return bool(toml.loads(f"{text}\n[{_SENTINEL}]\n").get(_SENTINEL) == {})
    except Exception:  # noqa: BLE001 (as above)
        return False


def _failing_line(text: str) -> int:
    """The first line with which the package fails as it does on the whole text."""
    lines = text.splitlines()
    for count in range(1, len(lines)):
        try:
            toml.loads("\n".join(lines[:count]))
        except toml.TomlDecodeError:
            continue  # cut within a value
        except Exception:  # noqa: BLE001 (as above)
            return count
    return len(lines)


def _error(origin: str, line: int, reason: str) -> ConfigError:
    for pattern, plain in _PLAINER:
        reason = re.sub(pattern, plain, reason, flags=re.DOTALL)
    return ConfigError(f"{origin}, line {line}: {reason}")
