"""The package's aws.Client over the simulated network: the same limits, pace and tries."""

import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import gevent
from botocore.exceptions import ClientError, ReadTimeoutError
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from sqsjkr_gevent.aws.client import (
    READ_TIMEOUT,
    URGENT_CONNECTIONS,
    CallError,
    Observer,
    _is_well,
    is_condition,
)
from sqsjkr_gevent.aws.pace import Pace

from .network import Network


class SimulatedClient:
    """See aws.Client. network: set by the simulation before a kicker is made."""

    network: Network

    def __init__(
        self,
        session: Any,
        service: str,
        account: Any,
        *,
        connections: int,
        observe: Observer,
        pace: Pace | None = None,
        wait: float = 0.0,
        attempts: int = 1,
    ) -> None:
        self.endpoint_url = f"https://{service}.example"
        self._service = service
        self._slots = BoundedSemaphore(connections)
        self._urgent_slots = BoundedSemaphore(URGENT_CONNECTIONS)
        self._observe = observe
        self._pace = pace or Pace()
        self._timeout = READ_TIMEOUT + wait
        self._attempts = attempts

    def call(
        self,
        operation: str,
        *,
        urgent: bool = False,
        expected: Callable[[Exception], bool] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """See aws.Client."""
        expected = expected or is_condition
        hurry = self._pace.hurried() if urgent else nullcontext()
        with self._urgent_slots if urgent else self._slots, hurry:
            try:
                response = self._tried(operation, arguments)
            except CallError as error:
                self._observe(operation, None if expected(error) else error)
                raise
            finally:
                self._pace.over()
        self._observe(operation, None)
        return response

    def _tried(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As botocore's standard mode tries: with a back-off that doubles, and jitter."""
        for attempt in range(1, self._attempts + 1):
            self._pace.before_send()
            outcome = self._once(operation, arguments)
            refused = isinstance(outcome, ClientError)
            if isinstance(outcome, dict) or (refused and _is_well(outcome.response)):
                self._pace.succeeded()
                break
            self._pace.failed()
            if attempt < self._attempts:
                gevent.sleep(random.random() * 2.0 ** (attempt - 1))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _once(self, operation: str, arguments: dict[str, Any]) -> Any:
        answer: AsyncResult[Any] = AsyncResult()
        self.network.send(self._service, operation, arguments, answer.set, self.endpoint_url)
        try:
            return answer.get(timeout=self._timeout)
        except gevent.Timeout:
            return ReadTimeoutError(endpoint_url=self.endpoint_url)
