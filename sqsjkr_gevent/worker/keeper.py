"""Leases: the visibility of messages, and the leases of jobs and locks, renewed until released."""

import math
import time
from collections.abc import Callable, Mapping

import gevent
from gevent.event import Event

from ..backoff import Backoff
from ..clock import Clock, steady
from ..errors import LeaseLost, ReceiptHandleInvalid, SqsjkrError
from ..log import get_logger

log = get_logger(__name__)


#: Called with what was lost, and the seconds left in which nobody else can take it.
OnLost = Callable[[str, float], None]

#: Returns the names of a job, for the log.
Names = Callable[[], Mapping[str, str]]

#: A lease is renewed once this share of it has passed, so that two renewals may fail.
_RENEW_AT = 1 / 3

#: A lease is given up at most this many seconds before it ends.
_MAX_MARGIN = 15.0


def margin(lease: float) -> float:
    """Seconds before the end of a lease of that length at which it is given up."""
    return min(_MAX_MARGIN, lease / 3)


class Lease:
    """One lease that the Keeper renews, until it is released or lost.

    what: the name of what is leased ("lock"), for the log. is_over: it was released or lost.
    """

    def __init__(
        self,
        what: str,
        seconds: float,
        renew: Callable[[], None],
        on_lost: OnLost,
        clock: Clock,
        since: float,
        names: Names,
    ) -> None:
        self.what = what
        self.is_over = False
        self._names = names
        self._seconds = seconds
        self._renew = renew
        self._on_lost = on_lost
        self._clock = clock
        self._backoff = Backoff(0.5, max(1.0, seconds / 10))
        self._renewal: gevent.Greenlet[[], None] | None = None
        self._start(since)

    def _start(self, now: float) -> None:
        self._ends_at = now + self._seconds
        # It is given up early, so that there is time to kill the job before the lease ends.
        self._given_up_at = self._ends_at - margin(self._seconds)
        self._due_at = now + self._seconds * _RENEW_AT

    def tick(self, now: float) -> None:
        """Renew it or give it up if the time has come."""
        if now >= self._given_up_at:
            self._lose("it could not be renewed in time", self._ends_at - now)
        elif now >= self._due_at and self._renewal is None:
            self._renewal = gevent.spawn(self._try)

    @property
    def has_lapsed(self) -> bool:
        """Whether it may have ended without a renewal, as in a process that stood still."""
        return self._clock() >= self._ends_at

    @property
    def is_safe(self) -> bool:
        """Whether it lasts long enough to kill, within it, a process that starts now."""
        return self._clock() < self._given_up_at

    def abandon(self) -> None:
        """Stop renewing it."""
        self.is_over = True

    def release(self) -> None:
        """Stop renewing it; returns once no renewal is under way but the caller's own."""
        self.abandon()
        if self._renewal is not None and self._renewal is not gevent.getcurrent():
            self._renewal.join()

    def make_due(self) -> None:
        """Have it renewed at the next tick: time may have passed that no clock here counted."""
        self._due_at = -math.inf

    def _try(self) -> None:
        asked_at = self._clock()
        try:
            self._renew()
        except (LeaseLost, ReceiptHandleInvalid) as error:
            self._lose(str(error), 0.0)
        except Exception as error:  # noqa: BLE001  (the lease may still be ours)
            self._due_at = self._clock() + self._backoff.failed()
            log.warning(
                "renewal failed, retrying",
                lease=self.what,
                error=str(error) if isinstance(error, SqsjkrError) else repr(error),
                **self._names(),
            )
        else:
            self._backoff.succeeded()
            self._start(asked_at)
        finally:
            self._renewal = None

    def _lose(self, why: str, left: float) -> None:
        if not self.is_over:
            self.is_over = True
            log.error("lease lost", lease=self.what, reason=why, **self._names())
            self._on_lost(self.what, max(0.0, left))


class Keeper:
    """Renews all leases from one greenlet.

    clock: monotonic seconds that go on while the host is suspended. wall_clock: epoch seconds.
    """

    #: Seconds between two turns. The heartbeat may be this late.
    TURN = 0.5

    #: If the wall clock jumps this many seconds ahead of the other clock, the whole machine was
    #: more likely paused than its clock corrected.
    JUMP = 2.0

    def __init__(self, clock: Clock = steady, wall_clock: Clock = time.time) -> None:
        self.clock = clock
        self._wall_clock = wall_clock
        self._ahead = wall_clock() - clock()
        self._leases: list[Lease] = []
        self._stopped = Event()

    def keep(
        self,
        what: str,
        seconds: float,
        renew: Callable[[], None],
        on_lost: OnLost,
        since: float | None = None,
        names: Names = dict,
    ) -> Lease:
        """Renew a lease of `seconds` until its release().

        since: the clock's time just before the lease was requested; None: now.
        renew: raises LeaseLost or ReceiptHandleInvalid if the lease is no longer ours; any other
        exception means that it is tried again. on_lost: called once, before the lease ends.
        names: returns what the log calls the owner of the lease.
        """
        since = self.clock() if since is None else since
        lease = Lease(what, seconds, renew, on_lost, self.clock, since, names)
        self._leases.append(lease)
        return lease

    def loop(self, beat: Callable[[], None]) -> None:
        """Turn until stop(), and call `beat` each time."""
        while not self._stopped.is_set():
            self.turn()
            beat()
            self._stopped.wait(self.TURN)

    def turn(self) -> None:
        """Renew or give up each lease that is due."""
        now = self.clock()
        self._leases = [lease for lease in self._leases if not lease.is_over]
        if self._has_jumped(now):
            log.warning("the clock jumped ahead; all leases are renewed at once")
            for lease in self._leases:
                lease.make_due()
        for lease in tuple(self._leases):
            lease.tick(now)

    def _has_jumped(self, now: float) -> bool:
        """Whether this machine may have been paused.

        Both clocks of a virtual machine stand still in a pause. Afterwards its wall clock is
        corrected, which is how the pause shows.
        """
        before, self._ahead = self._ahead, self._wall_clock() - now
        return self._ahead - before >= self.JUMP

    def stop(self) -> None:
        """End loop()."""
        self._stopped.set()
