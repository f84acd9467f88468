"""Health over a scripted clock."""

from typing import Any

import pytest

from sqsjkr_gevent.telemetry import Health, HealthReport


class Scene:
    """A running kicker's health, and the clock it goes by."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.health = Health(receive_within=50.0, clock=lambda: self.now)
        self.health.state = "running"
        self._observers = {name: self.health.observer(name) for name in ("sqs", "dynamodb")}

    def after(self, seconds: float, beat: bool = True) -> "Scene":
        """That much later; the hub has turned meanwhile, unless beat is False."""
        self.now += seconds
        if beat:
            self.health.beat()
        return self

    def call(self, operation: str, error: str | None = None) -> "Scene":
        """A call of service.operation that succeeded, or failed with that text."""
        service, _, name = operation.partition(".")
        self._observers[service](name, None if error is None else OSError(error))
        return self

    @property
    def problems(self) -> list[str]:
        """What the report finds; its status says the same."""
        report = self.health.report()
        details = report.as_json()
        assert report == HealthReport.from_json(details)
        assert report.is_well is (not details["problems"])
        assert ("ok" if report.is_well else "failing") == details["status"]
        found: list[str] = details["problems"]
        return found

    @property
    def details(self) -> dict[str, Any]:
        """The report's details."""
        return self.health.report().as_json()


@pytest.fixture
def scene() -> Scene:
    """Nothing has happened yet."""
    return Scene()


@pytest.mark.parametrize("state", ["starting", "draining"])
def test_a_kicker_that_does_not_run_is_not_well(scene: Scene, state: str) -> None:
    """A load balancer or a deploy must not take it for ready."""
    scene.health.state = state
    assert [f"the kicker is {state}"] == scene.problems


def test_a_new_health_is_starting() -> None:
    """Until its kicker says otherwise."""
    report = Health(receive_within=50.0).report()
    assert (False, ["the kicker is starting"]) == (report.is_well, report.problems)


def test_all_is_well_while_receives_succeed(scene: Scene) -> None:
    """The details say when the last one did, and how late the heartbeat is."""
    scene.health.set_receiving(wanted=True)
    for _ in range(100):
        scene.after(20).call("sqs.receive_message")
    scene.after(3.25, beat=False)
    assert {
        "status": "ok",
        "problems": [],
        "last_successful_receive": 3.25,
        "heartbeat_lag": 3.25,
        "errors": {},
    } == scene.details


def test_a_kicker_that_never_received_says_so(scene: Scene) -> None:
    """None is not a number of seconds."""
    assert None is scene.details["last_successful_receive"]


def test_a_heartbeat_that_lags_is_a_problem(scene: Scene) -> None:
    """A hub that stands still answers late, and then says why."""
    scene.after(10, beat=False)
    assert [] == scene.problems
    scene.after(2, beat=False)
    assert ["the heartbeat lags by 12 s"] == scene.problems
    scene.health.beat()
    assert [] == scene.problems


def test_no_receive_for_too_long_is_a_problem_while_places_are_free(scene: Scene) -> None:
    """Counted from the last success."""
    scene.health.set_receiving(wanted=True)
    scene.call("sqs.receive_message").after(50)
    assert [] == scene.problems
    scene.after(1)
    assert ["no receive has succeeded for 51 s"] == scene.problems
    scene.call("sqs.receive_message")
    assert [] == scene.problems


def test_the_first_receive_may_take_as_long_as_any(scene: Scene) -> None:
    """Counted from when it was wanted."""
    scene.after(1000)
    scene.health.set_receiving(wanted=True)
    scene.after(50)
    assert [] == scene.problems
    scene.after(1)
    assert ["no receive has succeeded for 51 s"] == scene.problems


def test_a_full_kicker_need_not_receive(scene: Scene) -> None:
    """However long its jobs run; the wait begins when places are free again."""
    scene.health.set_receiving(wanted=True)
    scene.call("sqs.receive_message")
    scene.health.set_receiving(wanted=False)
    scene.after(10_000)
    assert [] == scene.problems
    scene.health.set_receiving(wanted=True)
    scene.after(50)
    scene.health.set_receiving(wanted=True)
    assert [] == scene.problems
    scene.after(1)
    assert ["no receive has succeeded for 51 s"] == scene.problems


def test_calls_that_fail_are_a_problem_only_once_they_last(scene: Scene) -> None:
    """One lost packet alarms nobody, but is told."""
    scene.call("sqs.receive_message", "reset")
    assert ([], {"sqs.receive_message": "reset"}) == (scene.problems, scene.details["errors"])
    scene.after(5).call("sqs.receive_message", "refused")
    assert [] == scene.problems
    scene.after(1).call("sqs.receive_message", "refused")
    assert ["sqs.receive_message has failed for 6 s: refused"] == scene.problems


def test_a_success_ends_the_failures_of_its_own_operation(scene: Scene) -> None:
    """A table that cannot be written to is no better for being readable."""
    for operation in ("dynamodb.update_item", "sqs.receive_message"):
        scene.call(operation, "down")
    scene.after(6)
    for operation in ("dynamodb.update_item", "sqs.receive_message"):
        scene.call(operation, "down")
    scene.call("dynamodb.get_item").call("sqs.receive_message")
    assert ["dynamodb.update_item has failed for 6 s: down"] == scene.problems
    scene.call("dynamodb.update_item")
    assert ([], {}) == (scene.problems, scene.details["errors"])


def test_failures_begin_anew_after_a_success(scene: Scene) -> None:
    """The time before it does not count."""
    scene.call("sqs.receive_message", "down").after(6).call("sqs.receive_message")
    scene.call("sqs.receive_message", "down").after(5)
    assert [] == scene.problems


def test_an_operation_that_nobody_called_again_is_forgotten(scene: Scene) -> None:
    """A failed delete of an hour ago says nothing about now; one tried again does."""
    scene.call("sqs.delete_message_batch", "down").after(59)
    assert 1 == len(scene.problems)
    scene.after(1)
    assert ([], {}) == (scene.problems, scene.details["errors"])
    scene.call("sqs.delete_message_batch", "down")
    assert ["sqs.delete_message_batch has failed for 60 s: down"] == scene.problems


def test_a_service_that_answers_again_is_forgiven_all_its_operations(scene: Scene) -> None:
    """And no other service is."""
    for operation in ("dynamodb.update_item", "dynamodb.get_item", "sqs.receive_message"):
        scene.call(operation, "down")
    scene.after(6)
    scene.health.forgive("dynamodb")
    assert ["sqs.receive_message has failed for 6 s: down"] == scene.problems


def test_every_problem_is_told(scene: Scene) -> None:
    """Not only the first."""
    scene.health.set_receiving(wanted=True)
    scene.call("dynamodb.update_item", "down").after(51, beat=False)
    scene.health.state = "draining"
    assert [
        "the kicker is draining",
        "the heartbeat lags by 51 s",
        "dynamodb.update_item has failed for 51 s: down",
        "no receive has succeeded for 51 s",
    ] == scene.problems
