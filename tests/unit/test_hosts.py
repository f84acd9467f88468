"""Names of this host, while the DNS is slow, down, or changes."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from sqsjkr_gevent.web import hosts
from sqsjkr_gevent.web.hosts import Hosts
from waiting import eventually


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DNS that answers once it is told to, and counts."""

    class Dns:
        up = Event()
        asked = 0
        answer = "web-1.example"

        def full_name(self) -> str:
            self.asked += 1
            self.up.wait()
            return self.answer

    made = Dns()
    monkeypatch.setattr(hosts.socket, "getfqdn", made.full_name)
    monkeypatch.setattr(hosts, "LOOKUP_WITHIN", 0.01)
    yield made
    made.up.set()


def test_names_that_are_known_need_no_dns(dns: Any) -> None:
    """A page on this host is shown while the network is down."""
    own = Hosts(["kick"])
    assert all(own.knows(host) for host in (None, "localhost", "127.0.0.1:8061", "KICK:1", "[::1]"))
    assert 0 == dns.asked


def test_a_slow_dns_is_asked_once_by_all_and_holds_nobody(dns: Any) -> None:
    """Foreign names are free, and look-ups are not."""
    own = Hosts([])
    asking = [gevent.spawn(own.knows, "web-1.example") for _ in range(50)]
    gevent.joinall(asking)
    assert [False] * 50 == [one.value for one in asking]
    assert 1 == dns.asked
    dns.up.set()
    eventually(lambda: own.knows("web-1.example"))
    assert not own.knows("web-2.example")
    assert 1 == dns.asked


def test_the_name_is_looked_up_anew_after_a_while(
    dns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host may have its name later than its kicker."""
    dns.up.set()
    dns.answer = "localhost"
    own = Hosts([])
    assert not own.knows("web-1.example")
    dns.answer = "web-1.example"
    assert not own.knows("web-1.example")
    monkeypatch.setattr(hosts, "LOOKUP_EVERY", -1.0)
    eventually(lambda: own.knows("web-1.example"))


def test_a_look_up_that_fails_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes out of it."""

    def fail() -> str:
        raise UnicodeError("label too long")

    monkeypatch.setattr(hosts.socket, "getfqdn", fail)
    assert not Hosts([]).knows("web-1.example")
    assert Hosts([]).knows("localhost")
