"""What the calls to a store mean for health, where some stand in for others."""

import pytest

from sqsjkr_gevent import Config
from sqsjkr_gevent.testing import FakeQueue
from sqsjkr_gevent.worker import Parts

BATCH = "batch_execute_statement"


@pytest.fixture
def parts():
    """What a kicker puts together."""
    config = Config.new(account_id="123456789012", region="eu-west-1", queue_name="jobs")
    return Parts(config, queue=FakeQueue())


def failing(parts, *calls: tuple[str, bool]) -> set[str]:
    """The operations that fail after those calls, each with whether it succeeded."""
    observe = parts.observer("dynamodb")
    for operation, succeeded in calls:
        observe(operation, None if succeeded else OSError("by the test"))
    return set(parts.health.report().errors)


def test_statements_that_fail_are_a_problem_until_others_stand_in(parts):
    """In an outage these are late: each job makes its own, and they wait at the gate."""
    assert {f"dynamodb.{BATCH}"} == failing(parts, (BATCH, False))
    assert {f"dynamodb.{BATCH}"} == failing(parts, ("get_item", True), ("delete_item", True))
    assert set() == failing(parts, ("update_item", True))


def test_statements_that_succeed_again_end_the_problem_of_those_that_stood_in(parts):
    """They are not made for a while then, and health would fail long after the outage."""
    both = {f"dynamodb.{BATCH}", "dynamodb.update_item"}
    assert both == failing(parts, (BATCH, False), ("update_item", False))
    assert set() == failing(parts, (BATCH, True))


def test_statements_that_succeed_say_nothing_of_another_service(parts):
    """Each has its own health."""
    parts.observer("sqs")("receive_message", OSError("by the test"))
    assert {"sqs.receive_message"} == failing(parts, (BATCH, True))
