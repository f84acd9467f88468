"""The table of permissions, and what the docs make of it."""

import pytest

from servers import ROOT
from sqsjkr_gevent.aws.rights import DEAD_LETTER_RIGHTS, QUEUE_RIGHTS, TABLE_RIGHTS, needed

OF = {"queue": QUEUE_RIGHTS, "dead-letter queue": DEAD_LETTER_RIGHTS, "table": TABLE_RIGHTS}


@pytest.mark.parametrize("where", OF)
def test_the_docs_have_each_permission_with_what_its_lack_costs(where: str) -> None:
    """Word for word as a start and `check` say it."""
    lines = (ROOT / "docs" / "commands.md").read_text("utf-8").splitlines()
    for right in OF[where]:
        must = "yes" if right.needed else ""
        assert f"| {where} | `{right.action}` | {must} | {right.lack} |" in lines


def test_what_is_needed_is_little() -> None:
    """sqsjkr's own policy, and one permission more."""
    assert (
        "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility",
        "",
        "dynamodb:UpdateItem",
    ) == tuple(needed(rights) for rights in OF.values())
