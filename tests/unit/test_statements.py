"""Statements: where they are used, what is sent, and what becomes of those that are refused."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from gevent.event import Event

from captured import captured
from sqsjkr_gevent.aws import statements as module
from sqsjkr_gevent.aws.statements import (
    MAX_STATEMENTS,
    TRIED_AGAIN,
    Statement,
    Statements,
    insert_statement,
    update_statement,
)
from sqsjkr_gevent.aws.table import key, value
from stores import Clock

Answer = dict[str, Any]

OK: Answer = {"TableName": "T"}


def refused(code: str) -> Answer:
    """The answer to one statement that is refused with that code."""
    return {"Error": {"Code": code, "Message": f"{code} by the test"}}


def failed(code: str, status: int = 400) -> ClientError:
    """What a whole call raises."""
    response = {
        "Error": {"Code": code, "Message": "by the test"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "BatchExecuteStatement")


NO_ANSWER = EndpointConnectionError(endpoint_url="http://nowhere")


class Service:
    """A client in front of a table without rows. fault: what each call raises.

    answer: to each statement. sent: the statements of each call; probes: of those made to try out.
    """

    def __init__(self) -> None:
        self.sent: list[list[Answer]] = []
        self.probes: list[Answer] = []
        self.urgent: list[bool] = []
        self.fault: Exception | None = None
        self.answer: Callable[[Answer], Answer] = lambda statement: OK
        self.probed: Callable[[Answer], Answer] = self.as_dynamodb
        self.go = Event()
        self.go.set()

    @staticmethod
    def as_dynamodb(probe: Answer) -> Answer:
        """What DynamoDB answers to a probe."""
        is_update = probe["Statement"].startswith("UPDATE")
        return refused("ConditionalCheckFailed" if is_update else "ValidationError")

    def call(
        self,
        operation: str,
        *,
        Statements: list[Answer],  # noqa: N803
        expected: Callable[[Exception], bool],
        urgent: bool = False,
    ) -> dict[str, Any]:
        """One call."""
        assert "batch_execute_statement" == operation
        text = Statements[0]["Statement"]
        is_probe = (
            "VALUE {'Type': ?}" in text
            or {"S": "sqsjkr-gevent check"} in Statements[0]["Parameters"]
        )
        if is_probe:
            assert expected(failed("InternalServerError", 500)), "health would be told"
            self.probes += Statements
        else:
            self.sent.append(Statements)
            self.urgent.append(urgent)
            self.go.wait()
        if self.fault is not None:
            raise self.fault
        return {"Responses": [(self.probed if is_probe else self.answer)(s) for s in Statements]}


@pytest.fixture
def service() -> Service:
    """A service that takes statements."""
    return Service()


@pytest.fixture
def clock() -> Clock:
    """The clock of the statements."""
    return Clock()


@pytest.fixture
def statements(service: Service, clock: Clock) -> Statements:
    """Statements of that service, tried out on table T."""
    made = Statements(service, clock)  # type: ignore[arg-type]
    made.try_out("T")
    return made


def row(row_id: str, kind: str = "lock", table: str = "T") -> Statement:
    """A statement that writes that row."""
    return insert_statement(table, key(row_id, kind))


def outcomes(statements: Statements, *asked: Statement) -> list[bool]:
    """What becomes of statements that are asked for at the same moment."""
    asking = [gevent.spawn(statements.run, one) for one in asked]
    gevent.joinall(asking, timeout=30, raise_error=True)
    return [one.get(block=False) for one in asking]


def test_a_table_is_tried_out_by_what_changes_nothing(service, statements):
    """By an UPDATE of a row that does not exist, and an INSERT without a key; then it is used."""
    assert ["UPDATE", "INSERT"] == [probe["Statement"].split()[0] for probe in service.probes]
    assert "VALUE {'Type': ?}" in service.probes[1]["Statement"]
    assert statements.run(row("a"))
    statements.try_out("T")
    assert 2 == len(service.probes)


def test_a_table_that_was_not_tried_out_gets_no_statement(service, statements):
    """As of a command that makes a single lock."""
    assert not statements.run(row("a", table="other"))
    assert [] == service.sent


def test_statements_are_texts_with_a_parameter_for_each_value(service, statements):
    """Nobody's lock_id is ever part of a text."""
    evil = "x' OR 'a' = 'a"
    statements.run(insert_statement("T", {**key(evil, "lock"), "Lease": value(60.0)}))
    parameters = [value(1)], [value("me")]
    statements.run(
        update_statement("T", evil, "lock", 'SET "Version" = ?', '"Owner" = ?', parameters)
    )
    assert [
        {
            "Statement": "INSERT INTO \"T\" VALUE {'Id': ?, 'Type': ?, 'Lease': ?}",
            "Parameters": [{"S": evil}, {"S": "lock"}, {"N": "60.0"}],
        },
        {
            "Statement": 'UPDATE "T" SET "Version" = ?'
            ' WHERE "Id" = ? AND "Type" = ? AND "Owner" = ?',
            "Parameters": [{"N": "1"}, {"S": evil}, {"S": "lock"}, {"S": "me"}],
        },
    ] == [statement for call in service.sent for statement in call]


def test_statements_of_one_moment_share_calls_whatever_their_tables(service, statements):
    """Up to as many as the API takes."""
    statements.try_out("other")
    asked = [row(str(number), kind) for number in range(14) for kind in ("lock", "throttle")]
    assert [True] * 29 == outcomes(statements, row("0", table="other"), *asked)
    assert [MAX_STATEMENTS, 4] == [len(call) for call in service.sent]


def test_no_row_is_twice_in_a_call(service, statements):
    """DynamoDB would refuse both; a row has a table, an Id and a Type."""
    asked = [row("a"), row("a", "throttle"), row("a"), row("b")]
    assert [True] * 4 == outcomes(statements, *asked)
    assert [3, 1] == [len(call) for call in service.sent]


def test_each_statement_is_refused_alone(service, statements):
    """Its row is not as it was guessed; the others are done."""
    codes = {"a": "ConditionalCheckFailed", "b": "DuplicateItem", "c": "ValidationError"}

    def answer(statement: Answer) -> Answer:
        row_id = statement["Parameters"][0]["S"]
        return refused(codes[row_id]) if row_id in codes else OK

    service.answer = answer
    assert [False, False, False, True] == outcomes(statements, *map(row, "abcd"))
    assert statements.run(row("e"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (failed("AccessDeniedException"), "a permission is missing"),
        (failed("InternalError", 500), "statements do not work here"),
        (failed("UnknownOperationException"), "statements do not work here"),
        (NO_ANSWER, "statements do not work here"),
    ],
    ids=["denied", "moto", "unknown", "no answer"],
)
def test_where_they_do_not_work_none_is_sent_and_one_line_says_so(service, clock, fault, said):
    """All runs as without them. Both stores check the same table."""
    service.fault = fault
    statements = Statements(service, clock)
    with captured() as logs:
        statements.try_out("T")
        statements.try_out("T")
    assert [said] == [line["event"] for line in logs]
    assert "call of its own" in logs[0]["so"]
    assert not statements.run(row("a"))
    assert [] == service.sent
    assert 1 == len(service.probes)


@pytest.mark.parametrize(
    ("denied", "permission"),
    [("UPDATE", "dynamodb:PartiQLUpdate"), ("INSERT", "dynamodb:PartiQLInsert")],
)
def test_a_permission_that_is_missing_is_named(service, clock, denied, permission):
    """DynamoDB says it of each statement, in an answer that is otherwise fine."""

    def probed(probe: Answer) -> Answer:
        is_denied = probe["Statement"].startswith(denied)
        return refused("AccessDenied") if is_denied else service.as_dynamodb(probe)

    service.probed = probed
    statements = Statements(service, clock)
    with captured() as logs:
        statements.try_out("T")
    assert [permission] == [line["permission"] for line in logs]
    assert not statements.run(row("a"))


def test_an_endpoint_that_does_not_understand_the_texts_gets_none(service, clock):
    """Some speak a part of PartiQL."""
    service.probed = lambda probe: refused("ValidationError")
    statements = Statements(service, clock)
    statements.try_out("T")
    assert not statements.run(row("a"))


def test_a_table_is_tried_out_again_at_a_later_check(service, clock):
    """What was wrong at the start, a policy or the service, may be right now."""
    service.fault = failed("AccessDeniedException")
    statements = Statements(service, clock)
    statements.try_out("T")
    service.fault = None
    clock.now += TRIED_AGAIN - 1
    statements.try_out("T")
    assert not statements.run(row("a"))
    clock.now += 1
    with captured() as logs:
        statements.try_out("T")
    assert ["statements work now, and are gathered"] == [line["event"] for line in logs]
    assert statements.run(row("a"))


@pytest.mark.parametrize("whole", [True, False], ids=["whole call", "each statement"])
def test_a_permission_that_is_taken_away_later_is_told_once(service, statements, whole):
    """Whoever waits is told no, and no more is sent."""
    service.go.clear()
    asking = [gevent.spawn(statements.run, row(str(number))) for number in range(60)]
    gevent.sleep(0)
    gevent.sleep(0)
    if whole:
        service.fault = failed("AccessDeniedException")
    else:
        service.answer = lambda statement: refused("AccessDenied")
    with captured() as logs:
        service.go.set()
        gevent.joinall(asking, timeout=30, raise_error=True)
    assert {False} == {one.get(block=False) for one in asking}
    assert ["dynamodb:PartiQLInsert"] == [line["permission"] for line in logs]
    calls = len(service.sent)
    assert not statements.run(row("a"))
    assert calls == len(service.sent)


@pytest.mark.parametrize(
    "fault", [NO_ANSWER, failed("InternalServerError", 500), failed("ThrottlingException")]
)
def test_a_call_that_fails_is_no_reason_to_do_without(service, statements, clock, fault):
    """Whoever was in it or waits is told no at once, and for a moment so is everybody."""
    service.go.clear()
    asking = [gevent.spawn(statements.run, row("a")), gevent.spawn(gevent.sleep, 0)]
    gevent.sleep(0)
    gevent.sleep(0)
    service.fault = fault
    with captured() as logs:
        service.go.set()
        gevent.joinall(asking, timeout=30, raise_error=True)
    assert False is asking[0].get()
    service.fault = None
    assert not statements.run(row("b"))
    clock.now += 10.0
    assert statements.run(row("b"))
    assert [] == logs


def test_those_that_wait_while_a_call_fails_go_on_alone(service, statements):
    """Also renewals: each would wait for one more call that fails."""
    service.go.clear()
    asking = []
    for number in range(3):
        one = row(str(number))
        asking += [gevent.spawn(statements.run, one, urgent=urgent) for urgent in (False, True)]
        gevent.sleep(0)
        gevent.sleep(0)
    assert 4 == len(service.sent)
    service.fault = NO_ANSWER
    service.go.set()
    gevent.joinall(asking, timeout=30, raise_error=True)
    assert [False] * 6 == [one.get(block=False) for one in asking]
    assert 4 == len(service.sent)


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceeded", "InternalServerError"])
def test_a_service_in_trouble_gets_no_second_call_for_the_same(service, statements, clock, code):
    """A table over its throughput must not get each write twice."""
    service.answer = lambda statement: refused(code)
    assert not statements.run(row("a"))
    assert not statements.run(row("b"))
    assert 1 == len(service.sent)
    service.answer = lambda statement: OK
    clock.now += 10.0
    assert statements.run(row("b"))


def test_an_answer_that_is_cut_off_says_nothing(service, statements):
    """botocore reads it as one without content."""
    service.answer = None
    service.call = lambda operation, **arguments: {}
    assert [False] * 2 == outcomes(statements, row("a"), row("b"))


def test_renewals_have_calls_of_their_own(service, statements):
    """They go ahead, and wait neither for a call that hangs nor for those behind it."""
    service.go.clear()
    usual = []
    for number in range(4):
        usual.append(gevent.spawn(statements.run, row(str(number))))
        gevent.sleep(0)
        gevent.sleep(0)
    renewals = [
        gevent.spawn(statements.run, row(str(number), "throttle"), urgent=True)
        for number in range(2_000)
    ]
    gevent.sleep(0)
    gevent.sleep(0)
    sizes = [len(call) for call, urgent in zip(service.sent, service.urgent, strict=True) if urgent]
    assert [MAX_STATEMENTS] * (2_000 // MAX_STATEMENTS) == sizes
    service.go.set()
    gevent.joinall([*usual, *renewals], timeout=30, raise_error=True)
    assert {True} == {one.get(block=False) for one in [*usual, *renewals]}


def test_a_renewal_does_not_wait_for_a_call_that_hangs(service, statements, monkeypatch):
    """It goes alone then: a connection that hangs must not cost all the leases of a call."""
    monkeypatch.setattr(module, "URGENT_WITHIN", 0.01)
    service.go.clear()
    assert not statements.run(row("a"), urgent=True)
    assert 1 == len(service.sent)
    service.go.set()
    assert statements.run(row("b"), urgent=True)


def test_after_close_no_statement_is_sent(service, statements):
    """Locks that are given back at the very end go alone."""
    assert statements.run(row("a"))
    statements.close(1.0)
    assert not statements.run(row("b"))
    assert not statements.run(row("b"), urgent=True)
    assert 1 == len(service.sent)
