"""`check`: the stores of locks and job states, and their DynamoDB tables."""

from collections.abc import Iterator
from typing import Any

from ...aws import CallError, Client, Session, all_unobserved, error_code, is_denied
from ...aws.client import WRONG_SHAPE
from ...aws.provision import (
    ATTRIBUTE_TYPES,
    INDEX,
    INDEX_KEYS,
    TABLE_KEYS,
    TTL_ATTRIBUTE,
    table_description,
    tables,
)
from ...aws.rights import TABLE_RIGHTS
from ...config import Config
from ...stores import Stores, is_custom
from .findings import Finding, fail, ok, warn
from .rights import rights

_OTHER = "set another one with --lock-table, or create one with `sqsjkr-gevent init`"


def store_findings(config: Config, session: Session, dynamodb: Client) -> Iterator[Finding]:
    """Check the stores. Raises botocore's errors, ConfigError, StartError and StoreError."""
    stores = Stores(config, session, all_unobserved)
    for section, backend, make in (
        ("locker", config.locker.backend, stores.locker),
        ("throttler", config.throttler.backend, lambda: stores.throttler(0)),
    ):
        if is_custom(backend):
            make()
            yield ok(section, f"{backend!r} can be created")
        else:
            yield ok(section, stores.backend(backend).check())
    for name in tables(config):
        yield from _table(dynamodb, name)


def _table(dynamodb: Client, name: str) -> Iterator[Finding]:
    what = f"table {name!r}"
    try:
        table = table_description(dynamodb, name)
    except CallError as error:
        if not is_denied(error):
            raise
    else:
        if table is None:
            yield fail(what, "does not exist: create it with `sqsjkr-gevent init`")
            return
        if _keys(table["KeySchema"]) != TABLE_KEYS or not _types_fit(table):
            yield _other_shape(what)
            return
        if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
            yield fail(what, f"its status is {table['TableStatus']}: wait until it is ACTIVE")
            return
        yield ok(what, "keys Id, Type")
        yield _index(table, what)
    try:
        yield from rights(dynamodb, TABLE_RIGHTS, name, what)
    except CallError as error:
        if error_code(error) != WRONG_SHAPE:
            raise
        yield _other_shape(what)
        return
    yield from _time_to_live(dynamodb, name, what)


def _other_shape(what: str) -> Finding:
    return fail(what, f"its key is not Id (S), Type (S): {_OTHER}")


def _index(table: dict[str, Any], what: str) -> Finding:
    indexes = {
        index["IndexName"]: _keys(index["KeySchema"])
        for index in table.get("GlobalSecondaryIndexes", [])
    }
    if indexes.get(INDEX) == INDEX_KEYS:
        return ok(f"{what} index", INDEX)
    return warn(
        f"{what} index", f"no {INDEX} (Type, Expired): add it if sqsjkr hosts use the table"
    )


def _time_to_live(dynamodb: Client, name: str, what: str) -> Iterator[Finding]:
    try:
        answer = dynamodb.call("describe_time_to_live", TableName=name)
    except CallError as error:
        if not is_denied(error):
            raise
        return
    ttl = answer.get("TimeToLiveDescription", {})
    enabled = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    if enabled and ttl.get("AttributeName") == TTL_ATTRIBUTE:
        yield ok(f"{what} TTL", f"on {TTL_ATTRIBUTE}")
    else:
        yield warn(f"{what} TTL", f"not on {TTL_ATTRIBUTE}, so old items stay: enable it there")


def _keys(schema: list[dict[str, str]]) -> dict[str, str]:
    return {key["AttributeName"]: key["KeyType"] for key in schema}


def _types_fit(table: dict[str, Any]) -> bool:
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    return all(types.get(name) == ATTRIBUTE_TYPES[name] for name in TABLE_KEYS)
