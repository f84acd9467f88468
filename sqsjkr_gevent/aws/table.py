"""sqsjkr's DynamoDB table as conditional writes: hash key Id (S), range key Type (S)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..batcher import Again
from ..errors import StartError, StoreError
from .client import CallError, Client, error_code, is_condition
from .lookup import start_error

#: Most rows of one BatchWriteItem.
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
BATCH_MOST = 25

#: Attributes that are, or may become, reserved words of DynamoDB expressions.
_NAMES = ("Owner", "Version", "Lease", "Token", "Status")

_MISSING = frozenset({"ResourceNotFoundException"})

#: What the kicker must be allowed to do with the table.
PERMISSIONS = "dynamodb:GetItem, UpdateItem, DeleteItem, BatchWriteItem"

#: A row, or some attributes of one, as the API writes them.
Row = dict[str, dict[str, str]]


def key(row_id: str, kind: str) -> Row:
    """The primary key of a row of that kind, `lock` or `throttle`."""
    return {"Id": value(row_id), "Type": value(kind)}


def value(of: str | int | float) -> dict[str, str]:
    """An attribute value as the API writes it."""
    if isinstance(of, str):
        return {"S": of}
    return {"N": repr(of)}


class Table:
    """The table, as conditional writes. All methods raise StoreError."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client

    def check(self) -> None:
        """Raises StartError where the table is missing, has another key, or may not be read."""
        try:
            self._client.call(
                "get_item", TableName=self.name, Key=key("sqsjkr-gevent check", "lock")
            )
        except CallError as error:
            what = f"DynamoDB table {self.name!r}"
            if error_code(error) == "ValidationException":
                raise StartError(
                    f"{what} does not have the key Id (S), Type (S); name another with "
                    f"--lock-table, or create one with `sqsjkr-gevent init`"
                ) from error
            raise (
                start_error(error, what, _MISSING, PERMISSIONS)
                or StoreError(f"table {self.name!r}: {error}")
            ) from error

    def update(
        self, row_id: str, kind: str, update: str, condition: str, **values: str | int | float
    ) -> tuple[Row, bool]:
        """Conditional UpdateItem; answers the row's attributes and whether the condition held.

        With it held the answer is what was updated, else the row as it stands.
        """
        return self._update(row_id, kind, update, condition, values, urgent=False)

    def renew(
        self, row_id: str, kind: str, update: str, condition: str, **values: str | int | float
    ) -> bool:
        """The same, for a lease: it goes before others. Answers whether the condition held."""
        return self._update(row_id, kind, update, condition, values, urgent=True)[1]

    def _update(
        self,
        row_id: str,
        kind: str,
        update: str,
        condition: str,
        values: Mapping[str, str | int | float],
        *,
        urgent: bool,
    ) -> tuple[Row, bool]:
        used = f"{update} {condition}"
        names = {f"#{n}": n for n in _NAMES if f"#{n}" in used}
        arguments: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        try:
            answer = self._client.call(
                "update_item",
                urgent=urgent,
                TableName=self.name,
                Key=key(row_id, kind),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={f":{k}": value(v) for k, v in values.items()},
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **arguments,
            )
        except CallError as error:
            if not is_condition(error):
                raise StoreError(f"table {self.name!r}: {error}") from error
            row = getattr(error, "response", {}).get("Item")
            return (self.get(row_id, kind) if row is None else row), False
        return answer.get("Attributes", {}), True

    def get(self, row_id: str, kind: str) -> Row:
        """The row by a consistent read, empty where there is none."""
        try:
            row: Row = self._client.call(
                "get_item", TableName=self.name, Key=key(row_id, kind), ConsistentRead=True
            ).get("Item", {})
        except CallError as error:
            raise StoreError(f"table {self.name!r}: {error}") from error
        return row

    def scan(self, kind: str, condition: str) -> Iterator[Row]:
        """All rows of that kind for which the condition holds; it reads the whole table.

        Raises StartError as well, where it is denied, which the kicker can do without.
        """
        arguments: dict[str, Any] = {
            "FilterExpression": f"#Type = :kind AND {condition}",
            "ExpressionAttributeNames": {"#Type": "Type"},
            "ExpressionAttributeValues": {":kind": value(kind)},
        }
        while True:
            try:
                answer = self._client.call("scan", TableName=self.name, **arguments)
            except CallError as error:
                what = f"DynamoDB table {self.name!r}"
                raise (
                    start_error(error, what, _MISSING, "dynamodb:Scan")
                    or StoreError(f"table {self.name!r}: {error}")
                ) from error
            yield from answer.get("Items", [])
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def delete(self, row_id: str, kind: str, owner: str) -> bool:
        """Delete the row if it is `owner`'s; answers whether it was."""
        try:
            self._client.call(
                "delete_item",
                TableName=self.name,
                Key=key(row_id, kind),
                ConditionExpression="#Owner = :owner",
                ExpressionAttributeNames={"#Owner": "Owner"},
                ExpressionAttributeValues={":owner": value(owner)},
            )
        except CallError as error:
            if is_condition(error):
                return False
            raise StoreError(f"table {self.name!r}: {error}") from error
        return True

    def put(self, rows: Sequence[Row]) -> Sequence[Exception | None]:
        """BatchWriteItem of whole rows; answers each row's fate in their order.

        Of several rows with one Id the last is written: the API refuses two in one call.
        """
        unique = {row["Id"]["S"]: row for row in rows}.values()
        try:
            answer = self._client.call(
                "batch_write_item",
                RequestItems={self.name: [{"PutRequest": {"Item": row}} for row in unique]},
            )
        except CallError as error:
            failure = StoreError(f"table {self.name!r}: {error}")
            if error_code(error) == "ValidationException":
                # Repeated, it would fail again, and hold up all that comes after it.
                return [failure] * len(rows)
            raise failure from error
        left = {
            request["PutRequest"]["Item"]["Id"]["S"]
            for request in answer.get("UnprocessedItems", {}).get(self.name, [])
        }
        throttled = Again("DynamoDB left it unprocessed")
        return [throttled if row["Id"]["S"] in left else None for row in rows]
