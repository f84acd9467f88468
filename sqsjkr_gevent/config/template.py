"""The templates of a config file, such as `{{ must_env "NAME" | json_escape }}`.

It supports the three functions of github.com/kayac/go-config, in pipelines of Go's text/template.
This is plain text substitution, done before the text is parsed as TOML.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from ..errors import ConfigError

#: White space in Go, inside an action and next to one.
_BLANK = r"[ \t\r\n]"

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: An interpreted string, on a single line, or a raw string, without backticks.
_STRING = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`')
_ARGUMENT_FOLLOWS = re.compile(rf"{_BLANK}+(?=[\"`(])")
_PIPE = re.compile(rf"{_BLANK}*\|{_BLANK}*")
_OPENING = re.compile(rf"\({_BLANK}*")
_CLOSING = re.compile(rf"{_BLANK}*\)")
_BLANKS = re.compile(rf"{_BLANK}*")
#: The trim markers {{- and -}} remove the white space next to them; they need a space inside.
_TRIM = re.compile(rf"-{_BLANK}")
_END = re.compile(rf"{_BLANK}*?(?:{_BLANK}-\}}\}}{_BLANK}*|\}}\}})")

_ESCAPE = re.compile(
    rb"\\(?:(?P<plain>[abfnrtv\\\"])|(?P<octal>[0-3][0-7]{2})|x(?P<byte>[0-9a-fA-F]{2})"
    rb"|u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8})|(?P<wrong>.?))",
    re.DOTALL,
)
_PLAIN = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))

#: What Go's encoding/json also escapes, beyond what JSON requires; the last are invalid UTF-8.
_ALSO_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def expand(text: str, environ: Mapping[str, str], origin: str = "<string>") -> str:
    """Replace every {{ ... }} in the text with its value.

    environ: the environment variables.  origin: the file's name, for errors.
    Raises ConfigError, with the line, for wrong syntax, an unknown function, and a must_env
    whose variable is not set.
    """
    return _Template(text, environ, origin).expanded()


class _Template:
    """A text that is read once from start to end. _at: the position. _action: the last {{."""

    def __init__(self, text: str, environ: Mapping[str, str], origin: str) -> None:
        self._text = text
        self._environ = environ
        self._origin = origin
        self._at = 0
        self._action = 0

    def expanded(self) -> str:
        done: list[str] = []
        while (start := self._text.find("{{", self._at)) >= 0:
            plain = self._text[self._at : start]
            self._action, self._at = start, start + 2
            done.append(plain if self._take(_TRIM) is None else plain.rstrip(" \t\r\n"))
            if self._take(_COMMENT) is None:
                self._take(_BLANKS)
                try:
                    done.append(self._pipeline())
                except RecursionError:
                    raise self._wrong("it is nested too deeply") from None
            if self._take(_END) is None:
                raise self._misspelt()
        done.append(self._text[self._at :])
        return "".join(done)

    def _pipeline(self) -> str:
        """One or more commands; each one's value is the last argument of the next."""
        value = self._command([])
        while self._take(_PIPE) is not None:
            value = self._command([value])
        return value

    def _command(self, piped: Sequence[str]) -> str:
        """A function with its arguments, or a single value, which cannot follow a pipe."""
        name = self._take(_NAME)
        if name is None:
            if piped:
                raise self._misspelt()
            return self._value()
        args = []
        while self._take(_ARGUMENT_FOLLOWS) is not None:
            args.append(self._value())
        call = _FUNCTIONS.get(name)
        if call is None:
            raise self._wrong(f"unknown function {name!r}; known: {', '.join(_FUNCTIONS)}")
        try:
            return call(self._environ, [*args, *piped])
        except ValueError as error:
            raise self._wrong(str(error)) from None

    def _value(self) -> str:
        """A string, or a pipeline in parentheses."""
        if self._take(_OPENING) is not None:
            value = self._pipeline()
            if self._take(_CLOSING) is None:
                raise self._misspelt()
            return value
        quoted = self._take(_STRING)
        if quoted is None:
            raise self._misspelt()
        try:
            return _unquote(quoted)
        except (ValueError, OverflowError) as error:
            raise self._wrong(f"wrong escape in the string {quoted}: {error}") from None

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        """Read the text here that matches the pattern; None if it does not match."""
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _misspelt(self) -> ConfigError:
        line = self._text[self._action :].splitlines()[0]
        excerpt = line if len(line) <= 60 else line[:57] + "..."
        return self._wrong(
            f'expected {{{{ env "NAME" "default" }}}} or {{{{ must_env "NAME" }}}}, got {excerpt}'
        )

    def _wrong(self, reason: str) -> ConfigError:
        line = self._text.count("\n", 0, self._action) + 1
        return ConfigError(f"{self._origin}, line {line}: {reason}")


def _env(environ: Mapping[str, str], args: Sequence[str]) -> str:
    """The first of the named variables that is not empty, else the last argument itself."""
    return next(filter(None, map(environ.get, args)), args[-1] if args else "")


def _must_env(environ: Mapping[str, str], args: Sequence[str]) -> str:
    """The named variable, which must be set, but may be empty."""
    if len(args) != 1:
        raise ValueError(f"must_env takes one name, got {len(args)}")
    if args[0] not in environ:
        raise ValueError(f"the environment variable {args[0]} is not set, and must_env needs it")
    return environ[args[0]]


def _json_escape(_: Mapping[str, str], args: Sequence[str]) -> str:
    """The text escaped as in a JSON string, in the same way as Go, without quotes."""
    if len(args) != 1:
        raise ValueError(f"json_escape takes one argument, got {len(args)}")
    return _ALSO_ESCAPED.sub(_in_hex, json.dumps(args[0], ensure_ascii=False)[1:-1])


def _in_hex(character: re.Match[str]) -> str:
    code = ord(character[0])
    return "\\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


_FUNCTIONS: Mapping[str, Callable[[Mapping[str, str], Sequence[str]], str]] = {
    "env": _env,
    "must_env": _must_env,
    "json_escape": _json_escape,
}


def _unquote(quoted: str) -> str:
    """The value of a Go string literal; raises ValueError if it is invalid."""
    inner = quoted[1:-1]
    if quoted[0] == "`":
        return inner.replace("\r", "")
    # As bytes, since \x and octal escapes in Go are bytes of UTF-8.
    return _ESCAPE.sub(_escaped, inner.encode()).decode()


def _escaped(escape: re.Match[bytes]) -> bytes:
    if escape["plain"]:
        return bytes([_PLAIN[escape["plain"][0]]])
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    if escape["byte"]:
        return bytes([int(escape["byte"], 16)])
    if escape["wrong"] is not None:
        raise ValueError(f"Go has no escape {escape[0].decode(errors='replace')}")
    return chr(int(escape["u4"] or escape["u8"], 16)).encode()
