"""One run of one message: what it holds, and what happens when it loses that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ..clock import Clock
from ..errors import LeaseLost, OverLifeTime
from ..intake import Permit
from ..job import Job
from ..message import Message
from ..process import LEASE_LOST, Process
from .keeper import Kept


@dataclass(slots=True)
class Wait:
    """What a run waits for: its lock, its group, or another host that has the job.

    since: epoch seconds. holder: answers who has what it waits for, None where nobody can tell.
    """

    what: str
    since: float
    holder: Callable[[], str | None]


class Claimed(Protocol):
    """A claim, as far as a run ends it."""

    def done(self) -> None:
        """The job must not run again."""

    def release(self) -> None:
        """The job did not run, or has to run again."""

    def abandon(self) -> None:
        """Renew it no more."""


@dataclass(eq=False)
class Run:
    """From the receive of a message until it is settled.

    owner: names this run, and no other ever, in the lock and throttle stores.
    received_at: of the newest delivery, in seconds of the keeper's clock.
    visibility: the lease of the message, from the first line of the work on it.
    heir_of: the owner of a lapsed run of the same job that this one took over.
    wait: what it waits for, but a slot. started_at: of its command, epoch seconds. ran: seconds
    that its command took, None while it has not. output: what is kept of what that printed.
    claim: of its job in the throttler, once it is granted. leases: those without which its command
    must not run. ended: whether only its message is still to be settled. given_back: whether its
    message may be received again from now on, by another run.
    """

    message: Message
    permit: Permit
    owner: str
    wall_clock: Clock
    heir_of: str | None = None
    received_at: float = 0.0
    visibility: Kept | None = None
    wait: Wait | None = None
    started_at: float | None = None
    ran: float | None = None
    output: str = ""
    ended: bool = False
    given_back: bool = False
    claim: Claimed | None = None
    leases: set[Kept] = field(default_factory=set)
    _last_wait: Wait | None = None
    _job: Job | None = None
    _lost: str | None = None
    _seconds_left: float = 0.0
    _process: Process | None = None

    @property
    def job(self) -> Job:
        """What the message asks for; only once it was parsed."""
        assert self._job is not None
        return self._job

    @job.setter
    def job(self, job: Job) -> None:
        self._job = job

    @property
    def parsed(self) -> Job | None:
        """What the message asks for, as far as that could be read."""
        return self._job

    def names(self) -> dict[str, str]:
        """What the run is called in the log."""
        names = {"job_id": self.message.id}
        if self._job is not None:
            names["event_id"] = self._job.event_id
            if self._job.lock_id is not None:
                names["lock_id"] = self._job.lock_id
        return names

    def life_left(self) -> float | None:
        """Seconds until the job's life_time is over, None where it has none."""
        expires_at = self.job.expires_at
        return None if expires_at is None else expires_at - self.wall_clock()

    def check_life_time(self) -> None:
        """Raises OverLifeTime."""
        left = self.life_left()
        if left is not None and left <= 0:
            raise OverLifeTime("over its life_time")

    def check_leases(self) -> None:
        """Raises LeaseLost where the run lost a lease that it needs, as far as the clock tells.

        The keeper finds that out only with its next turn.
        """
        if self._lost is None:
            self._lost = next((kept.what for kept in self.leases if not kept.is_sure), None)
        if self._lost is not None:
            raise LeaseLost(f"lost the lease of its {self._lost}")

    def lose(self, what: str, seconds_left: float) -> None:
        """A lease is lost: the process ends within `seconds_left`."""
        self._lost = what
        self._seconds_left = seconds_left
        self._end_if_lost()

    def over(self) -> None:
        """Its message is kept no more; returns once no renewal of it is under way."""
        if self.visibility is not None:
            self.visibility.release()

    def let_go(self) -> None:
        """Hold on to nothing any more; what was not settled lapses, and comes back by itself."""
        self.permit.close()
        if self.claim is not None:
            self.claim.abandon()
        self.over()

    def give_back(self) -> None:
        """Its message is shown again next: what is received then is not this run's any more."""
        self.given_back = True
        self.over()

    @property
    def process(self) -> Process | None:
        """The process of its command, once it has started and until it is over."""
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether its command has started and is not over."""
        return self._process is not None

    @contextmanager
    def waiting(self, what: str, holder: Callable[[], str | None]) -> Iterator[None]:
        """Say what the block waits for; see Wait."""
        last = self._last_wait
        # A lock is looked for again and again: it is all one wait.
        since = last.since if last is not None and last.what == what else self.wall_clock()
        self.wait = self._last_wait = Wait(what, since, holder)
        try:
            yield
        finally:
            self.wait = None

    @contextmanager
    def running(self, process: Process) -> Iterator[None]:
        """The process that a lost lease ends. Raises LeaseLost where one was lost meanwhile."""
        self._process = process
        try:
            # A start takes its time: other greenlets run, or this whole process stands still.
            self.check_leases()
            yield
        except LeaseLost:
            process.kill(LEASE_LOST, grace=0)
            raise
        finally:
            self._process = None

    def _end_if_lost(self) -> None:
        if self._lost is not None and self._process is not None:
            self._process.kill(LEASE_LOST, grace=self._seconds_left / 2)
