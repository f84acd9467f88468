"""`check`: the permissions of this identity, and the effect of missing ones."""

from collections.abc import Iterable, Iterator

from ...aws import Client
from ...aws.rights import Right, is_allowed
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
        elif is_allowed(client, right, where):
            yield ok(what, "allowed")
        else:
            finding = fail if right.needed else warn
            yield finding(what, f"denied, so {right.lack}: allow {right.action}")
