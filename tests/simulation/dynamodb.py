"""A table of DynamoDB: what its API promises of single rows, no more.

Each call is atomic. Names, shapes and errors are those of the API.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .errors import refusal
from .expressions import Invalid, Row, Scope, condition, update
from .statements import Refused, execute, table_of

#: A row's Id and Type.
Key = tuple[str, str]

#: Called with each write: the row before and after it, None for no row.
OnWrite = Callable[[Row | None, Row | None], None]


class DynamoDB:
    """One table with the key Id (S), Type (S). unprocessed: whether a batch leaves a row out."""

    def __init__(
        self,
        table: str,
        on_write: OnWrite = lambda before, after: None,
        unprocessed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.rows: dict[Key, Row] = {}
        self._table = table
        self._on_write = on_write
        self._unprocessed = unprocessed

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The response to one call. Raises ClientError."""
        if operation == "batch_execute_statement":
            return {"Responses": [self._execute(one) for one in arguments["Statements"]]}
        tables = arguments.get("RequestItems") or [arguments.get("TableName")]
        if self._table not in tables:
            raise refusal(operation, "ResourceNotFoundException")
        try:
            answer: dict[str, Any] = getattr(self, f"_{operation}")(arguments)
        except Invalid as error:
            raise refusal(operation, "ValidationException", str(error)) from error
        return answer

    def _get_item(self, arguments: dict[str, Any]) -> dict[str, Any]:
        row = self.rows.get(_key(arguments["Key"]))
        return {} if row is None else {"Item": dict(row)}

    def _update_item(self, arguments: dict[str, Any]) -> dict[str, Any]:
        key = _key(arguments["Key"])
        before = self.rows.get(key)
        scope = self._scope(arguments, before)
        sets, removes = update(arguments["UpdateExpression"])
        # Evaluated over the row as it was, whether or not the condition holds.
        holds = self._holds(arguments, scope)
        if not holds:
            for path, _ in sets:
                scope.name(path)
        else:
            changed = {scope.name(path): operand(scope) for path, operand in sets}
            gone = [scope.name(path) for path in removes]
            self._all_used(arguments, scope)
            self._write(key, {**arguments["Key"], **(before or {}), **changed}, gone)
            if arguments.get("ReturnValues") == "UPDATED_NEW":
                return {"Attributes": dict(changed)}
            return {}
        raise self._failed("UpdateItem", arguments, before)

    def _delete_item(self, arguments: dict[str, Any]) -> dict[str, Any]:
        key = _key(arguments["Key"])
        before = self.rows.get(key)
        if not self._holds(arguments, self._scope(arguments, before)):
            raise self._failed("DeleteItem", arguments, before)
        if before is not None:
            del self.rows[key]
            self._on_write(before, None)
        return {}

    def _execute(self, statement: dict[str, Any]) -> dict[str, Any]:
        """One statement of a batch; each is atomic, the batch is not."""
        code = None
        try:
            text, parameters = statement["Statement"], statement.get("Parameters", [])
            if table_of(text) != self._table:
                code = "ResourceNotFound"
            elif self._unprocessed():
                code = "ProvisionedThroughputExceeded"
            else:
                key, row = execute(text, parameters, self.rows)
                self._write(key, row, [])
        except Refused as refused:
            code = refused.code
        except Invalid:
            code = "ValidationError"
        error = {} if code is None else {"Error": {"Code": code, "Message": code}}
        return {"TableName": self._table, **error}

    def _scan(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = []
        for row in self.rows.values():
            scope = self._scope(arguments, row)
            if condition(arguments["FilterExpression"])(scope):
                found.append(dict(row))
        return {"Items": found}

    def _write(self, key: Key, row: Mapping[str, Any], gone: list[str]) -> None:
        before = self.rows.get(key)
        after = {name: value for name, value in row.items() if name not in gone}
        self.rows[key] = after
        self._on_write(before, after)

    @staticmethod
    def _scope(arguments: dict[str, Any], row: Row | None) -> Scope:
        return Scope(
            row or {},
            arguments.get("ExpressionAttributeNames", {}),
            arguments.get("ExpressionAttributeValues", {}),
        )

    @staticmethod
    def _holds(arguments: dict[str, Any], scope: Scope) -> bool:
        text = arguments.get("ConditionExpression")
        return text is None or condition(text)(scope)

    @staticmethod
    def _all_used(arguments: dict[str, Any], scope: Scope) -> None:
        given = {
            *arguments.get("ExpressionAttributeNames", {}),
            *arguments.get("ExpressionAttributeValues", {}),
        }
        if given - scope.used:
            raise Invalid(f"unused in expressions: {sorted(given - scope.used)}")

    @staticmethod
    def _failed(operation: str, arguments: dict[str, Any], row: Row | None) -> Exception:
        asked = arguments.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        more = {"Item": dict(row)} if asked and row is not None else {}
        return refusal(
            operation, "ConditionalCheckFailedException", "The conditional request failed", **more
        )


def _key(attributes: Mapping[str, Any]) -> Key:
    try:
        return attributes["Id"]["S"], attributes["Type"]["S"]
    except KeyError as error:
        raise Invalid(f"the key lacks {error}") from error
