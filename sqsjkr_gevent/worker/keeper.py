"""Keeps what must not lapse: the visibility of messages and the leases of jobs and locks."""

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


#: Told what was lost, and the seconds left in which nobody else can take it.
OnLost = Callable[[str, float], None]

#: Answers the names of a job, for the log.
Names = Callable[[], Mapping[str, str]]

#: A lease is renewed when this share of it has passed, so that two renewals may fail.
_RENEW_AT = 1 / 3

#: Most seconds before a lease's end at which it is given up.
_MAX_MARGIN = 15.0


def margin(lease: float) -> float:
    """Seconds before the end of a lease of that length at which it is given up."""
    return min(_MAX_MARGIN, lease / 3)


class Kept:
    """One lease under the keeper's care, from its start until release() or its loss."""

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
        self._names = names
        self._seconds = seconds
        self._renew = renew
        self._on_lost = on_lost
        self._clock = clock
        self._backoff = Backoff(0.5, max(1.0, seconds / 10))
        self._renewal: gevent.Greenlet[[], None] | None = None
        self.over = False
        self._runs_from(since)

    def _runs_from(self, now: float) -> None:
        self._ends_at = now + self._seconds
        # The end is given up early, so that a job has the time to be killed within its lease.
        self._given_up_at = self._ends_at - margin(self._seconds)
        self._due_at = now + self._seconds * _RENEW_AT

    def look(self, now: float) -> None:
        """Renew or give up, as the time asks."""
        if now >= self._given_up_at:
            self._lose("it could not be renewed in time", self._ends_at - now)
        elif now >= self._due_at and self._renewal is None:
            self._renewal = gevent.spawn(self._try)

    @property
    def lapsed(self) -> bool:
        """Whether its end may have passed unrenewed, as in a process that stood still."""
        return self._clock() >= self._ends_at

    @property
    def is_sure(self) -> bool:
        """Whether it will last long enough for a process that starts now to be killed within it."""
        return self._clock() < self._given_up_at

    def abandon(self) -> None:
        """Care for it no more."""
        self.over = True

    def release(self) -> None:
        """Care for it no more; returns once no other renewal is under way."""
        self.abandon()
        if self._renewal is not None and self._renewal is not gevent.getcurrent():
            self._renewal.join()

    def _try(self) -> None:
        asked_at = self._clock()
        try:
            self._renew()
        except (LeaseLost, ReceiptHandleInvalid) as error:
            self._lose(str(error), 0.0)
        except Exception as error:  # noqa: BLE001  (a lease that may be ours still is kept)
            self._due_at = self._clock() + self._backoff.failed()
            log.warning(
                "renewal failed, repeated",
                lease=self.what,
                error=str(error) if isinstance(error, SqsjkrError) else repr(error),
                **self._names(),
            )
        else:
            self._backoff.succeeded()
            self._runs_from(asked_at)
        finally:
            self._renewal = None

    def renew_now(self) -> None:
        """Renew it with the next look: time may have passed that no clock here counted."""
        self._due_at = -math.inf

    def _lose(self, why: str, left: float) -> None:
        if not self.over:
            self.over = True
            log.error("lease lost", lease=self.what, reason=why, **self._names())
            self._on_lost(self.what, max(0.0, left))


class Keeper:
    """Looks after all leases from one greenlet.

    clock: monotonic, in seconds; it goes on while the host is suspended. wall_clock: epoch seconds.
    """

    #: Most seconds between two turns; also how late a heartbeat may be seen.
    TURN = 0.5

    #: Seconds by which the wall's clock jumps ahead of the other where a pause of the whole machine
    #: is more likely than a correction.
    JUMP = 2.0

    def __init__(self, clock: Clock = steady, wall_clock: Clock = time.time) -> None:
        self.clock = clock
        self._wall_clock = wall_clock
        self._ahead = wall_clock() - clock()
        self._kept: set[Kept] = set()
        self._stopped = Event()

    def keep(
        self,
        what: str,
        seconds: float,
        renew: Callable[[], None],
        on_lost: OnLost,
        since: float | None = None,
        names: Names = dict,
    ) -> Kept:
        """Renew a lease of `seconds`, until its release().

        since: the clock's time just before the lease was asked for; now, where that is not known.

        renew: raises LeaseLost or ReceiptHandleInvalid where it is no longer ours; another
        SqsjkrError has it repeated. on_lost: called once, before the lease ends. names: answers
        what the log calls whose lease it is.
        """
        since = self.clock() if since is None else since
        kept = Kept(what, seconds, renew, on_lost, self.clock, since, names)
        self._kept.add(kept)
        return kept

    def loop(self, beat: Callable[[], None]) -> None:
        """Turn until stop(), and call `beat` each time."""
        while not self._stopped.is_set():
            self.turn()
            beat()
            self._stopped.wait(self.TURN)

    def turn(self) -> None:
        """Look at every lease once."""
        now = self.clock()
        self._kept = {kept for kept in self._kept if not kept.over}
        if self._jumped(now):
            log.warning("the clock jumped ahead; all leases are renewed at once")
            for kept in self._kept:
                kept.renew_now()
        for kept in tuple(self._kept):
            kept.look(now)

    def _jumped(self, now: float) -> bool:
        """Whether this machine may have been paused: a virtual one is with both clocks still.

        Its wall clock is put right afterwards, so that is how it shows.
        """
        before, self._ahead = self._ahead, self._wall_clock() - now
        return self._ahead - before >= self.JUMP

    def stop(self) -> None:
        """End loop()."""
        self._stopped.set()
