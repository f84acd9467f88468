"""`check`: the permissions of this identity, and the effect of missing ones."""

from collections.abc import Iterable, Iterator

from ...aws import CallError, Client
from ...aws.rights import STATEMENT_RIGHTS, Right, is_allowed
from .findings import Finding, fail, ok, warn


def rights(client: Client, wanted: Iterable[Right], where: str, of: str) -> Iterator[Finding]:
    """One finding per permission. where: the queue's URL or the table's name. of: a readable name.

    Raises botocore's errors.
    """
    for right in wanted:
        name = right.action.partition(":")[2]
        what = f"{name} on {of}"
        if right.operation is None:
            yield ok(what, f"not tried, since it would change data; without it {right.lack}")
            continue
        try:
            allowed = is_allowed(client, right, where)
        except CallError as error:
            if right not in STATEMENT_RIGHTS:
                raise
            # Not every DynamoDB-compatible server knows them.
            yield warn(what, f"does not work here, so {right.lack}: {error}")
            continue
        if allowed:
            yield ok(what, "allowed")
        else:
            finding = fail if right.needed else warn
            yield finding(what, f"denied, so {right.lack}: allow {right.action}")
