"""A client of the package over a server that fails, or refuses: what closes the gate, and when."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError

from proxy import Proxy
from sqsjkr_gevent.aws import CallError, Client, make_session, unobserved
from sqsjkr_gevent.aws.pace import Pace
from sqsjkr_gevent.aws.table import key
from sqsjkr_gevent.config import AccountSection
from stores import Clock
from waiting import eventually

#: Seconds within which a call that is free to go must be answered.
DEADLINE = 30.0


@pytest.fixture
def proxy(aws: Any) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    proxy = Proxy(aws.server.port).start()
    yield proxy
    proxy.stop()


@pytest.fixture
def make_client(aws: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """Make DynamoDB clients that go through the proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_key)

    def make(**options: Any) -> Client:
        account = AccountSection(id=aws.account_id, region=aws.region, endpoint_url=proxy.url)
        options = {"connections": 4, "observe": unobserved, **options}
        return Client(make_session(account), "dynamodb", account, **options)

    return make


def get(client: Client, table: Any) -> dict[str, Any]:
    """One GetItem."""
    return client.call("get_item", TableName=table.name, Key=key("a", "lock"))


def update(client: Client, table: Any, condition: str, **options: Any) -> dict[str, Any]:
    """One conditional UpdateItem."""
    return client.call(
        "update_item",
        TableName=table.name,
        Key=key("a", "lock"),
        UpdateExpression="REMOVE Nothing",
        ConditionExpression=condition,
        **options,
    )


def ends(call: Callable[[], object]) -> None:
    """The call ends within the deadline, as it would not behind a gate that is closed."""
    with gevent.Timeout(DEADLINE):
        call()


def test_a_refusal_does_not_close_the_gate(
    table: Any, proxy: Proxy, make_client: Callable[..., Client]
) -> None:
    """A denied permission, a condition that fails, a wrong request: the service is well."""
    client = make_client(pace=Pace(3600.0))
    proxy.fail("GetItem", "403", 1)
    with pytest.raises(ClientError, match="AccessDenied"):
        get(client, table)
    ends(lambda: get(client, table))
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        update(client, table, "attribute_exists(Id)")
    ends(lambda: get(client, table))
    with pytest.raises(ClientError, match="ValidationException"):
        update(client, table, "no condition at all")
    ends(lambda: get(client, table))


def test_a_refusal_opens_a_gate_that_is_closed(
    table: Any, proxy: Proxy, make_client: Callable[..., Client]
) -> None:
    """A service that says no answers again."""
    clock = Clock()
    pace = Pace(0.01, clock)
    client = make_client(pace=pace)
    pace.failed()
    first, second = (gevent.spawn(get, client, table) for _ in range(2))
    proxy.fail("GetItem", "403", 1)
    clock.now += 1.0  # Time for one of them, and it stands still again.
    with pytest.raises(ClientError, match="AccessDenied"):
        first.get(timeout=DEADLINE)
    second.get(timeout=DEADLINE)


@pytest.mark.parametrize("fault", ["500", "503", "reset before", "truncated"])
def test_each_try_of_a_call_waits_at_the_gate(
    table: Any, proxy: Proxy, make_client: Callable[..., Client], fault: str
) -> None:
    """botocore's own retries as well: none goes out while the clock stands still."""
    clock = Clock()
    pace = Pace(0.01, clock)
    client = make_client(pace=pace, attempts=3)
    proxy.fail("*", fault)
    failing = gevent.spawn(get, client, table)
    for tries in (1, 2):
        eventually(lambda: pace._others, deadline=DEADLINE)
        assert tries == len(proxy.calls)
        clock.now += 1.0
        eventually(lambda tries=tries: len(proxy.calls) == tries + 1, deadline=DEADLINE)
    with pytest.raises(CallError):
        failing.get(timeout=DEADLINE)
    assert 3 == len(proxy.calls)


def test_an_urgent_call_waits_for_no_other_call(
    table: Any, proxy: Proxy, make_client: Callable[..., Client]
) -> None:
    """Calls that hang until they time out take all connections; a lease has no time for that."""
    client = make_client(connections=1)
    proxy.fail("GetItem", "hang", 1)
    hanging = gevent.spawn(get, client, table)
    eventually(lambda: proxy.failed["GetItem"])
    ends(lambda: update(client, table, "attribute_not_exists(Nothing)", urgent=True))
    assert not hanging.ready()
    hanging.kill()
