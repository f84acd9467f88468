"""The `{{ env "NAME" "default" }}` and `{{ must_env "NAME" }}` of a config file.

The two functions of github.com/kayac/go-config, with the syntax of Go's text/template. It is
plain text substitution, done before anybody looks at the text as TOML.
"""

import re
from collections.abc import Mapping

from .errors import ConfigError

#: An interpreted string, which ends on its line, or a raw one, which may not hold a backtick.
_STRING = r'"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`'
#: The trim markers {{- and -}} take the white space beside them away; they need a space inside.
_ACTION = re.compile(
    rf"(?P<before>\s*\{{\{{-(?=\s)|\{{\{{)\s*(?P<name>\w+)(?P<args>(?:\s*(?:{_STRING}))*)"
    rf"\s*?(?P<after>(?<=\s)-\}}\}}\s*|\}}\}})"
)
_ARGUMENT = re.compile(_STRING)
_ESCAPE = re.compile(
    rb"\\(?:(?P<plain>[abfnrtv\\\"])|(?P<octal>[0-3][0-7]{2})|x(?P<byte>[0-9a-fA-F]{2})"
    rb"|u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8})|(?P<wrong>.?))",
    re.DOTALL,
)
_PLAIN = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))


def expand(text: str, environ: Mapping[str, str], origin: str = "<string>") -> str:
    """The text with every {{ ... }} replaced by what it stands for.

    environ: where variables are looked up.  origin: the file's name, for errors.
    Raises ConfigError, with the line, for wrong syntax, an unknown function, and a must_env
    whose variable is not set.
    """
    done: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        # The white space before {{- belongs to the action.
        kept = len(text[position:start].rstrip()) + position
        action = _ACTION.match(text, kept) or _ACTION.match(text, start)
        where = f"{origin}, line {text.count(chr(10), 0, start) + 1}"
        if action is None:
            raise ConfigError(
                f'{where}: expected {{{{ env "NAME" "default" }}}} or {{{{ must_env "NAME" }}}}, '
                f"got {_excerpt(text, start)}"
            )
        done += text[position : action.start()], _call(action, environ, where)
        position = action.end()
    return "".join(done) + text[position:]


def _call(action: re.Match[str], environ: Mapping[str, str], where: str) -> str:
    name = action["name"]
    args = [_unquote(quoted, where) for quoted in _ARGUMENT.findall(action["args"])]
    if name == "env":
        # The first non-empty variable, else the last argument itself.
        return next(filter(None, map(environ.get, args)), args[-1] if args else "")
    if name != "must_env":
        raise ConfigError(f"{where}: unknown function {name!r}; there are env and must_env")
    if len(args) != 1:
        raise ConfigError(f"{where}: must_env takes one name, got {len(args)}")
    if args[0] not in environ:
        raise ConfigError(
            f"{where}: the environment variable {args[0]} is not set, and must_env needs it"
        )
    return environ[args[0]]


def _unquote(quoted: str, where: str) -> str:
    """The value of a Go string literal."""
    inner = quoted[1:-1]
    if quoted[0] == "`":
        return inner.replace("\r", "")
    try:
        # Bytes, since \x and octal escapes in Go are bytes of UTF-8.
        return _ESCAPE.sub(_escaped, inner.encode()).decode()
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{where}: wrong escape in the string {quoted}: {error}") from None


def _escaped(escape: re.Match[bytes]) -> bytes:
    if escape["plain"]:
        return bytes([_PLAIN[escape["plain"][0]]])
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    if escape["byte"]:
        return bytes([int(escape["byte"], 16)])
    if escape["wrong"] is not None:
        raise ValueError(f"Go knows no {escape[0].decode(errors='replace')}")
    return chr(int(escape["u4"] or escape["u8"], 16)).encode()


def _excerpt(text: str, start: int) -> str:
    line = text[start:].splitlines()[0]
    return line if len(line) <= 60 else line[:57] + "..."
