"""DynamoDB's condition and update expressions, as far as the kicker may use them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

#: An attribute value in the format of the API, and a row of them.
Value = Mapping[str, Any]
Row = dict[str, Value]

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),+\-])")

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class Invalid(Exception):
    """The expression cannot be understood."""


class Scope:
    """What an expression is evaluated over: a row, and the request's names and values."""

    def __init__(self, row: Row, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
        self.row = row
        self._names = names
        self._values = values
        self.used: set[str] = set()

    def name(self, token: str) -> str:
        """The attribute that a token names."""
        if token.startswith("#"):
            self.used.add(token)
            if token not in self._names:
                raise Invalid(f"{token} is not defined")
            return self._names[token]
        return token

    def value(self, token: str) -> Value | None:
        """The value of an attribute, None if the row lacks it, or of a placeholder."""
        if token.startswith(":"):
            self.used.add(token)
            if token not in self._values:
                raise Invalid(f"{token} is not defined")
            return self._values[token]
        return self.row.get(self.name(token))


Condition = Callable[[Scope], bool]
Operand = Callable[[Scope], Value | None]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise Invalid(text[at:])
            self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or expected not in (None, token):
            raise Invalid(f"{token!r} where {expected!r} is expected")
        self._at += 1
        return token

    def takes(self, word: str) -> bool:
        if self.peek().upper() != word:
            return False
        self._at += 1
        return True

    def condition(self) -> Condition:
        one = self._and()
        while self.takes("OR"):
            one = _either(one, self._and())
        return one

    def _and(self) -> Condition:
        one = self._not()
        while self.takes("AND"):
            one = _both(one, self._not())
        return one

    def _not(self) -> Condition:
        if self.takes("NOT"):
            inner = self._not()
            return lambda scope: not inner(scope)
        if self.takes("("):
            inner = self.condition()
            self.take(")")
            return inner
        if self.peek() in ("attribute_exists", "attribute_not_exists"):
            wanted = self.take() == "attribute_exists"
            self.take("(")
            path = self.take()
            self.take(")")
            return lambda scope: (scope.value(path) is not None) == wanted
        return self._comparison()

    def _comparison(self) -> Condition:
        left = self.operand()
        sign = self.take()
        if sign not in _COMPARE:
            raise Invalid(sign)
        return _compared(left, sign, self.operand())

    def operand(self) -> Operand:
        token = self.take()
        if token == "if_not_exists":
            self.take("(")
            path = self.take()
            self.take(",")
            other = self.operand()
            self.take(")")

            def either(scope: Scope) -> Value | None:
                default = other(scope)
                here = scope.value(path)
                return default if here is None else here

            return either
        return lambda scope: scope.value(token)

    def sum(self) -> Operand:
        one = self.operand()
        if self.peek() not in ("+", "-"):
            return one
        sign = 1 if self.take() == "+" else -1
        other = self.operand()
        return lambda scope: _added(one(scope), other(scope), sign)


def _either(one: Condition, other: Condition) -> Condition:
    # Both are evaluated, so that every name and value counts as used.
    return lambda scope: any([one(scope), other(scope)])


def _both(one: Condition, other: Condition) -> Condition:
    return lambda scope: all([one(scope), other(scope)])


def _compared(left: Operand, sign: str, right: Operand) -> Condition:
    def holds(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        if a is None or b is None or a.keys() != b.keys():
            return sign == "<>"
        return _COMPARE[sign](_plain(a), _plain(b))

    return holds


def _plain(value: Value) -> Any:
    [(kind, plain)] = value.items()
    return Decimal(plain) if kind == "N" else plain


def _added(one: Value | None, other: Value | None, sign: int) -> Value:
    if one is None or other is None:
        raise Invalid("the row lacks an attribute of a sum")
    return {"N": str(Decimal(one["N"]) + sign * Decimal(other["N"]))}


@lru_cache(maxsize=1000)
def condition(text: str) -> Condition:
    """The condition that the text describes."""
    parser = _Parser(text)
    parsed = parser.condition()
    if parser.peek():
        raise Invalid(parser.peek())
    return parsed


@lru_cache(maxsize=1000)
def update(text: str) -> tuple[tuple[tuple[str, Operand], ...], tuple[str, ...]]:
    """What the text sets, and what it removes."""
    parser = _Parser(text)
    sets: list[tuple[str, Operand]] = []
    removes: list[str] = []
    while parser.peek():
        if parser.takes("SET"):
            while True:
                path = parser.take()
                parser.take("=")
                sets.append((path, parser.sum()))
                if not parser.takes(","):
                    break
        elif parser.takes("REMOVE"):
            removes.append(parser.take())
            while parser.takes(","):
                removes.append(parser.take())
        else:
            raise Invalid(parser.peek())
    return tuple(sets), tuple(removes)
