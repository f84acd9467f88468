"""sqsjkr's DynamoDB table, with conditional writes. Hash key Id (S), range key Type (S)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import StartError, StoreError
from ..log import get_logger
from .client import WRONG_SHAPE, CallError, Client, error_code, is_condition, is_denied
from .lookup import start_error
from .rights import GET_ITEM, SCAN, UPDATE_ITEM, Right, try_right
from .statements import Statements, insert_statement, update_statement

log = get_logger(__name__)

#: Attributes whose names are, or may become, reserved words in DynamoDB expressions.
_NAMES = ("Owner", "Version", "Lease", "Token", "Status")

#: A row, or some of its attributes, in the format of the API.
Row = dict[str, dict[str, str]]


def key(row_id: str, kind: str) -> Row:
    """The primary key of a row. kind: `lock` or `throttle`."""
    return {"Id": value(row_id), "Type": value(kind)}


def _names_in(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in _NAMES if f"#{name}" in expression}


def value(of: str | int | float) -> dict[str, str]:
    """An attribute value in the format of the API."""
    if isinstance(of, str):
        return {"S": of}
    return {"N": repr(of)}


class Table:
    """The table. All methods raise StoreError.

    statements: gathers those of all tables of the client; None to use none.
    """

    def __init__(self, client: Client, name: str, statements: Statements | None = None) -> None:
        self.name = name
        self._client = client
        self._statements = statements
        self._denied: set[Right] = set()

    def check(self) -> None:
        """Raises StartError if the table is missing, has another key, or access is denied."""
        try:
            self._try_access()
        except CallError as error:
            if error_code(error) == WRONG_SHAPE:
                raise StartError(
                    f"DynamoDB table {self.name!r} does not have the key Id (S), Type (S); name "
                    f"another with --lock-table, or create one with `sqsjkr-gevent init`"
                ) from error
            raise self._start_error(error, UPDATE_ITEM) from error
        if self._statements is not None:
            self._statements.try_out(self.name)

    def close(self, timeout: float) -> None:
        """Send the statements that wait, for at most `timeout` seconds, and none afterwards."""
        if self._statements is not None:
            self._statements.close(timeout)

    def _store_error(self, error: Exception) -> StoreError:
        return StoreError(f"table {self.name!r}: {error}")

    def _start_error(self, error: Exception, right: Right) -> Exception:
        what = f"DynamoDB table {self.name!r}"
        return start_error(error, what, right.action) or self._store_error(error)

    def _try_access(self) -> None:
        if self._lacks(GET_ITEM):
            try_right(self._client, UPDATE_ITEM, self.name)
            return
        try:
            self._client.call("get_item", expected=is_denied, **GET_ITEM.arguments(self.name))
        except CallError as error:
            if not is_denied(error):
                raise
            self._do_without(GET_ITEM)
            self._try_access()

    def _lacks(self, right: Right) -> bool:
        return right in self._denied

    def _do_without(self, right: Right) -> None:
        if not self._lacks(right):
            self._denied.add(right)
            log.warning(
                "a permission is missing", table=self.name, permission=right.action, so=right.lack
            )

    def try_insert(self, row: Row) -> bool:
        """Write the row if there is none with its key, by a statement that shares its call.

        Returns whether that was done. False says nothing about the row: update() tells.
        """
        statements = self._statements
        return statements is not None and statements.run(insert_statement(self.name, row))

    def try_update(
        self,
        row_id: str,
        kind: str,
        changes: str,
        of_changes: Sequence[str | int | float],
        condition: str,
        of_condition: Sequence[str | int | float],
        *,
        urgent: bool = False,
        within: float | None = None,
    ) -> bool:
        """As try_insert(), to change a row. changes, condition: PartiQL, with a `?` for each value.

        urgent: as of renew(). within: seconds after which it is not sent any more.
        """
        if self._statements is None:
            return False
        parameters = [value(one) for one in of_changes], [value(one) for one in of_condition]
        statement = update_statement(self.name, row_id, kind, changes, condition, parameters)
        return self._statements.run(statement, urgent=urgent, within=within)

    def update(
        self, row_id: str, kind: str, update: str, condition: str, **values: str | int | float
    ) -> tuple[Row, bool]:
        """Conditional UpdateItem. Returns the row's attributes and whether the condition held.

        The attributes are the updated ones if it held, else the whole row as it is.
        """
        return self._update(row_id, kind, update, condition, values, urgent=False)

    def renew(
        self, row_id: str, kind: str, update: str, condition: str, **values: str | int | float
    ) -> bool:
        """As update(), but ahead of waiting calls. Returns whether the condition held."""
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
        names = _names_in(f"{update} {condition}")
        arguments: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        try:
            response = self._client.call(
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
                raise self._store_error(error) from error
            row = getattr(error, "response", {}).get("Item")
            return (self._old(row_id, kind) if row is None else row), False
        return response.get("Attributes", {}), True

    def _old(self, row_id: str, kind: str) -> Row:
        """The row if the response has none: it does not exist, or the server does not return it."""
        try:
            return self._read(row_id, kind)
        except CallError as error:
            if is_denied(error):
                return {}
            raise self._store_error(error) from error

    def get(self, row_id: str, kind: str) -> Row:
        """The row by a consistent read, {} if there is none."""
        try:
            return self._read(row_id, kind)
        except CallError as error:
            raise self._store_error(error) from error

    def _read(self, row_id: str, kind: str) -> Row:
        response = self._client.call(
            "get_item",
            expected=is_denied,
            TableName=self.name,
            Key=key(row_id, kind),
            ConsistentRead=True,
        )
        row: Row = response.get("Item", {})
        return row

    def scan(self, kind: str, condition: str) -> Iterator[Row]:
        """All rows of that kind for which the condition holds. Reads the whole table.

        Also raises StartError, if access is denied: the kicker itself does not need to scan.
        """
        arguments: dict[str, Any] = {
            "FilterExpression": f"#Type = :kind AND {condition}",
            "ExpressionAttributeNames": {"#Type": "Type", **_names_in(condition)},
            "ExpressionAttributeValues": {":kind": value(kind)},
        }
        while True:
            try:
                response = self._client.call("scan", TableName=self.name, **arguments)
            except CallError as error:
                raise self._start_error(error, SCAN) from error
            yield from response.get("Items", [])
            if "LastEvaluatedKey" not in response:
                return
            arguments["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    def delete(self, row_id: str, kind: str, owner: str, version: int | None = None) -> bool:
        """Delete the row if it has that owner and version. Returns whether it had."""
        condition, values = "#Owner = :owner", {":owner": value(owner)}
        if version is not None:
            condition += " AND #Version = :seen"
            values[":seen"] = value(version)
        try:
            self._client.call(
                "delete_item",
                TableName=self.name,
                Key=key(row_id, kind),
                ConditionExpression=condition,
                ExpressionAttributeNames=_names_in(condition),
                ExpressionAttributeValues=values,
            )
        except CallError as error:
            if is_condition(error):
                return False
            raise self._store_error(error) from error
        return True
