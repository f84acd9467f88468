"""PartiQL statements over one row, as BatchExecuteStatement takes them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.statements.html
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from .expressions import Invalid, Row, Value

_INSERT = re.compile(r'INSERT INTO "([^"]+)" VALUE \{(.*)\}')
_UPDATE = re.compile(r'UPDATE "([^"]+)" ((?:SET|REMOVE) .*) WHERE (.*)')
_CLAUSE = re.compile(
    r'SET "(?P<set>\w+)" = (?:"(?P<sum>\w+)" \+ )?\?|REMOVE "(?P<remove>\w+)"|(?P<other>\S+)'
)
_TERM = re.compile(r'"(\w+)" (= \?|IS MISSING)')


class Refused(Exception):
    """A statement that changes nothing. code: as the API names it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def table_of(text: str) -> str:
    """The table that a statement names."""
    found = _INSERT.fullmatch(text) or _UPDATE.fullmatch(text)
    if found is None:
        raise Invalid(text)
    return found[1]


def execute(
    text: str, parameters: list[Value], rows: Mapping[tuple[str, str], Row]
) -> tuple[tuple[str, str], Row]:
    """The key of the row that a statement writes, and the row. Raises Refused."""
    given = iter(parameters)
    insert = _INSERT.fullmatch(text)
    if insert is not None:
        key, row = _inserted(insert[2], given)
        if key in rows:
            raise Refused("DuplicateItem")
    else:
        update = _UPDATE.fullmatch(text)
        if update is None:
            raise Invalid(text)
        key, row = _updated(update[2], update[3], given, rows)
    if next(given, None) is not None:
        raise Invalid("more parameters than placeholders")
    return key, row


def _inserted(text: str, given: Iterator[Value]) -> tuple[tuple[str, str], Row]:
    names = []
    for item in text.split(", "):
        found = re.fullmatch(r"'(\w+)': \?", item)
        if found is None:
            raise Invalid(item)
        names.append(found[1])
    row: Row = {name: _next(given) for name in names}
    if not {"Id", "Type"} <= row.keys():
        raise Refused("ValidationError")
    return (row["Id"]["S"], row["Type"]["S"]), row


def _updated(
    clauses: str, where: str, given: Iterator[Value], rows: Mapping[tuple[str, str], Row]
) -> tuple[tuple[str, str], Row]:
    sets: list[tuple[str, str | None, Value]] = []
    removes: list[str] = []
    for clause in _CLAUSE.finditer(clauses):
        if clause["other"]:
            raise Invalid(clause["other"])
        if clause["remove"]:
            removes.append(clause["remove"])
        else:
            sets.append((clause["set"], clause["sum"], _next(given)))
    terms = []
    for term in where.split(" AND "):
        found = _TERM.fullmatch(term)
        if found is None:
            raise Invalid(term)
        terms.append((found[1], None if found[2] == "IS MISSING" else _next(given)))
    wanted = dict(terms)
    key = (_text(wanted, "Id"), _text(wanted, "Type"))
    row = rows.get(key)
    if row is None or any(_differs(row.get(name), value) for name, value in terms):
        raise Refused("ConditionalCheckFailed")
    changed = {name: _sum(row, summed, value) for name, summed, value in sets}
    kept = {name: value for name, value in row.items() if name not in removes}
    return key, {**kept, **changed}


def _next(given: Iterator[Value]) -> Value:
    value = next(given, None)
    if value is None:
        raise Invalid("fewer parameters than placeholders")
    return value


def _text(wanted: Mapping[str, Value | None], name: str) -> str:
    value = wanted.get(name)
    if value is None:
        raise Refused("ValidationError")
    return str(value["S"])


def _differs(here: Value | None, wanted: Value | None) -> bool:
    if here is None or wanted is None:
        return here is not wanted
    if "N" in here and "N" in wanted:
        return Decimal(here["N"]) != Decimal(wanted["N"])
    return here != wanted


def _sum(row: Row, summed: str | None, value: Value) -> Value:
    if summed is None:
        return value
    if summed not in row:
        raise Refused("ValidationError")
    return {"N": str(Decimal(row[summed]["N"]) + Decimal(value["N"]))}
