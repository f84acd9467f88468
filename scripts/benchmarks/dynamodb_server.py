"""A DynamoDB server for benchmarks: items in memory, and the expressions that the kicker uses.

python dynamodb_server.py DELAY_SECONDS

Prints its port. It delays every response by DELAY_SECONDS, accepts any table name, and refuses
expressions that it does not know.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from itertools import chain

from http_server import serve

Item = dict[str, dict]
Value = Callable[[Item, dict], "dict | None"]


class DynamoDB:
    """The actions: each takes the fields of a request and returns the response."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.port = 0
        self.items: dict[tuple[str, str], Item] = {}

    async def do(self, action: str, fields: dict) -> str:
        """One call."""
        return json.dumps(getattr(self, action)(fields))

    def control(self, path: str, fields: dict) -> str:
        """There are no control requests."""
        return "{}"

    def GetItem(self, fields: dict) -> dict:  # noqa: N802 (the names of AWS)
        """One item."""
        item = self.items.get(_key(fields["Key"]))
        return {"Item": item} if item else {}

    def UpdateItem(self, fields: dict) -> dict:  # noqa: N802
        """One item, if the condition holds."""
        old = self.items.get(_key(fields["Key"]), {})
        self._require(old, fields)
        values, names = fields["ExpressionAttributeValues"], _names(fields)
        sets, removes = _update(fields["UpdateExpression"], names)
        changed = {name: value(old, values) for name, value in sets}
        item = {**fields["Key"], **old, **changed}
        for name in removes:
            item.pop(name, None)
        self.items[_key(fields["Key"])] = item
        return {"Attributes": changed}

    def DeleteItem(self, fields: dict) -> dict:  # noqa: N802
        """One item, if the condition holds."""
        self._require(self.items.get(_key(fields["Key"]), {}), fields)
        self.items.pop(_key(fields["Key"]), None)
        return {}

    def BatchWriteItem(self, fields: dict) -> dict:  # noqa: N802
        """Up to 25 items."""
        for request in chain.from_iterable(fields["RequestItems"].values()):
            item = request["PutRequest"]["Item"]
            self.items[_key(item)] = item
        return {"UnprocessedItems": {}}

    @staticmethod
    def _require(item: Item, fields: dict) -> None:
        condition = _condition(fields["ConditionExpression"], _names(fields))
        if not condition(item, fields.get("ExpressionAttributeValues", {})):
            kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            refused = {"__type": kind, "message": "The conditional request failed"}
            raise ValueError(json.dumps({**refused, **({"Item": item} if item else {})}))


def _key(fields: Item) -> tuple[str, str]:
    return fields["Id"]["S"], fields["Type"]["S"]


def _names(fields: dict) -> tuple[tuple[str, str], ...]:
    return tuple(fields.get("ExpressionAttributeNames", {}).items())


#: The parts of a condition, and their Python equivalents.
_CONDITIONS = (
    (r"attribute_not_exists\((\w+)\)", r"('\1' not in item)"),
    (r"(\w+) = (:\w+)", r"(item.get('\1') == values['\2'])"),
    (r"(\w+) < (:\w+)", r"(number(item.get('\1')) < number(values['\2']))"),
    (r" AND ", " and "),
    (r" OR ", " or "),
)


@lru_cache
def _condition(text: str, names: tuple[tuple[str, str], ...]) -> Callable[[Item, dict], bool]:
    text = _named(text, names)
    for theirs, pythons in _CONDITIONS:
        text = re.sub(theirs, pythons, text)
    return eval(f"lambda item, values: {text}", {"number": _number})  # noqa: S307 (from the kicker)


def _number(value: dict | None) -> float:
    return float(value["N"]) if value else float("nan")


@lru_cache
def _update(
    text: str, names: tuple[tuple[str, str], ...]
) -> tuple[list[tuple[str, Value]], list[str]]:
    sets, _, removes = _named(text, names).removeprefix("SET ").partition(" REMOVE ")
    assigned = [part.split(" = ") for part in re.split(r", (?=\w+ = )", sets)]
    return (
        [(name, _value(value)) for name, value in assigned],
        removes.split(", ") if removes else [],
    )


def _value(text: str) -> Value:
    if " + " in text:
        one, other = map(_value, text.split(" + "))
        return lambda item, values: {
            "N": str(int(one(item, values)["N"]) + int(other(item, values)["N"]))
        }
    if found := re.fullmatch(r"if_not_exists\((\w+), (:\w+)\)", text):
        return lambda item, values: item.get(found[1], values[found[2]])
    if text.startswith(":"):
        return lambda _, values: values[text]
    return lambda item, _: item[text]


def _named(text: str, names: tuple[tuple[str, str], ...]) -> str:
    for short, name in names:
        text = re.sub(rf"{short}\b", name, text)
    return text


if __name__ == "__main__":
    asyncio.run(serve(DynamoDB(float(sys.argv[1]))))
