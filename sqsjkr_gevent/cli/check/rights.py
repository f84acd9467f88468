"""`check`: what this identity may do, and what it costs where it may not."""

from collections.abc import Iterable, Iterator

from ...aws import Client
from ...aws.rights import Right, is_allowed
from .findings import Finding, fail, ok, warn


def rights(client: Client, wanted: Iterable[Right], where: str, of: str) -> Iterator[Finding]:
    """One finding for each. where: the queue's URL or the table's name. of: as people call it.

    Raises what botocore raises.
    """
    for right in wanted:
        name = right.action.partition(":")[2]
        what = f"{name} on {of}"
        if right.operation is None:
            yield ok(what, f"not tried, for it would change something; without it {right.lack}")
        elif is_allowed(client, right, where):
            yield ok(what, "allowed")
        else:
            tell = fail if right.needed else warn
            yield tell(what, f"denied, so {right.lack}: allow {right.action}")
