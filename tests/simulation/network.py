"""The network between kickers and services: it delays, loses and refuses."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from .errors import refusal
from .loop import Actor, VirtualLoop

#: What may befall a call; see Trouble.
TROUBLES = ("away", "lost_request", "lost_answer", "error", "throttled", "slow")

#: Seconds that a healthy call takes there, and back, at least and at most.
_QUICK = (0.001, 0.02)

#: Seconds that a slow call takes on its way there; some take longer than any client waits.
_SLOW = (0.5, 14.0)

#: Called with the response to a call, or with what botocore raises for it.
Reply = Callable[[Any], None]


class Service(Protocol):
    """What answers calls at once."""

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The response. Raises ClientError."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls that share of the calls of a service, or of one actor if `actor` is set.

    away: nobody answers. lost_request: it never arrives. lost_answer: it is carried out, and nobody
    hears of it. error: status 500. throttled: the service asks for fewer calls. slow: it takes
    seconds, perhaps more than the client waits, and is carried out all the same.
    """

    kind: str
    service: str
    share: float
    host: str | None = None

    def befalls(self, service: str, host: str) -> bool:
        """Whether it is about calls to that service from that host."""
        return self.service == service and self.host in (None, host)


class Network:
    """Carries calls. log: called with a line for each call."""

    def __init__(
        self,
        loop: VirtualLoop,
        chance: Random,
        services: dict[str, Service],
        log: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._services = services
        self._log = log
        self._number = 0
        self.troubles: list[Trouble] = []

    def send(
        self, service: str, operation: str, arguments: dict[str, Any], reply: Reply, endpoint: str
    ) -> None:
        """Carry a call of the current actor. reply: called in a turn of that actor, or never."""
        actor = self._loop.current
        self._number += 1
        trouble = self._trouble(service, actor.host)
        name = f"call {self._number} {actor.name} {service}.{operation}"
        self._log(f"{name} {trouble or ''}".rstrip())
        call = _Call(name, service, operation, copy.deepcopy(arguments), actor, reply)
        there = self._chance.uniform(*(_SLOW if trouble == "slow" else _QUICK))
        if trouble == "away":
            self._answer(call, EndpointConnectionError(endpoint_url=endpoint))
        elif trouble in ("error", "throttled"):
            self._loop.at(there, self._answer, call, _failure(service, operation, trouble))
        elif trouble != "lost_request":
            self._loop.at(there, self._arrive, call, trouble == "lost_answer", endpoint)

    def _trouble(self, service: str, host: str) -> str | None:
        for trouble in self.troubles:
            if trouble.befalls(service, host) and self._chance.random() < trouble.share:
                return trouble.kind
        return None

    def _arrive(self, call: "_Call", unheard: bool, endpoint: str) -> None:
        self._carry_out(call, None if call.wait is None else self._loop.time + call.wait, unheard)

    def _carry_out(self, call: "_Call", until: float | None, unheard: bool) -> None:
        """A long poll that finds nothing tries again when something may have changed."""
        service = self._services[call.service]
        try:
            response: Any = service.call(call.operation, call.arguments)
        except ClientError as error:
            response = error
        if until is not None and response == {} and self._loop.time < until:
            self._poll_again(call, until, unheard)
        elif unheard:
            self._log(f"{call.name} carried out, unheard")
            if self._chance.random() < 0.5:  # The connection breaks, or it is silent.
                self._answer(call, ReadTimeoutError(endpoint_url="reset"))
        else:
            self._answer(call, response)

    def _poll_again(self, call: "_Call", until: float, unheard: bool) -> None:
        sqs: Any = self._services[call.service]
        url = call.arguments["QueueUrl"]
        tried = False

        def again() -> None:
            nonlocal tried
            if not tried:
                tried = True
                self._carry_out(call, until, unheard)

        now = self._loop.time
        visible = sqs.next_visible(url)
        wait = until - now if visible is None else min(until - now, visible - sqs.now())
        self._loop.at(max(0.0, wait), again)
        sqs.queue(url).arrived.append(lambda: self._loop.at(0.0, again))

    def _answer(self, call: "_Call", response: Any) -> None:
        back = self._chance.uniform(*_QUICK)
        self._loop.at(back, self._loop.post, call.actor, call.reply, response)


@dataclass(slots=True)
class _Call:
    name: str
    service: str
    operation: str
    arguments: dict[str, Any]
    actor: Actor
    reply: Reply

    @property
    def wait(self) -> float | None:
        """Seconds that a long poll waits."""
        if self.operation != "receive_message":
            return None
        return float(self.arguments.get("WaitTimeSeconds", 0))


def _failure(service: str, operation: str, trouble: str) -> Exception:
    if trouble == "error":
        return refusal(operation, "InternalServerError", status=500)
    code = "ThrottlingException" if service == "dynamodb" else "RequestThrottled"
    return refusal(operation, code)
