"""The start of a kicker: it finds its queue and its tables, however long that takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..backoff import Backoff
from ..errors import HostExhausted, QueueError, Stopping, StoreError
from ..log import get_logger
from ..stores import (
    LeasedLocker,
    LeasedThrottler,
    Locker,
    Throttler,
    as_leased_locker,
    as_leased_throttler,
    checks,
)
from ..worker import Parts

T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """The stores of a kicker whose queue is found. checks: raise while a store fails."""

    locker: LeasedLocker
    throttler: LeasedThrottler
    checks: list[Callable[[], None]]


def open_all(
    parts: Parts,
    locker: Locker | LeasedLocker | None,
    throttler: Throttler | LeasedThrottler | None,
) -> Opened:
    """Find the queue and the stores. locker, throttler: None for those that the config names.

    Raises StartError if one is missing or denied, or Stopping if the kicker stops first.
    """
    retention = _persist(parts, parts.queue.open)
    locker = locker or parts.stores.locker()
    throttler = throttler or parts.stores.throttler(retention)
    found = checks(locker, throttler)
    for check in found:
        _persist(parts, check)
    return Opened(as_leased_locker(locker), as_leased_throttler(throttler), found)


def _persist(parts: Parts, call: Callable[[], T]) -> T:
    """Call until it succeeds. Raises StartError, or Stopping if the kicker stops first."""
    backoff = Backoff(1.0, 30.0)
    while not parts.stopping.is_set():
        try:
            return call()
        except (QueueError, StoreError, HostExhausted) as error:
            wait = backoff.failed()
            log.error("cannot start yet, retrying", reason=str(error), wait=round(wait, 2))
            parts.stopping.wait(wait)
    raise Stopping("stopped during its start")
