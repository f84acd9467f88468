"""One run of one message: what it holds, and what happens when it loses that."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ..clock import Clock
from ..errors import LeaseLost, OverLifeTime
from ..intake import Permit, WaitingRoom
from ..job import Job
from ..message import Message
from ..process import LEASE_LOST, Process
from .keeper import Lease


@dataclass(slots=True)
class Wait:
    """What a run waits for: its lock, its group, or another host that runs the job.

    what: "lock", "group" or "host". since: epoch seconds. holder: returns who has what it waits
    for, None if unknown.
    """

    what: str
    since: float
    holder: Callable[[], str | None]


class Claimed(Protocol):
    """A claim, as far as a run ends it. See claims.Claim."""

    def done(self) -> None:
        """The job must not run again."""

    def release(self) -> None:
        """The job did not run, or has to run again."""

    def abandon(self) -> None:
        """Stop renewing it."""


@dataclass(eq=False, slots=True)
class Run:
    """From the receive of a message until it is settled.

    permit: to hold the message. owner: the name of this run, and of no other ever, in the lock and
    throttle stores. heir_of: the owner of a lapsed run of the same job that this one took over.
    received_at: of the newest delivery, in seconds of the keeper's clock.
    visibility: the lease of the message. claim: on its job in the throttler, once granted.
    process: of its command, from its start to its end.
    leases: those without which its command must not run.
    wait: what it waits for, other than a slot. started_at: of its command, epoch seconds.
    ran: seconds that its command took, None until it has ended. output: the part of its output
    that is kept.
    is_over: its job has ended; only its message remains to be settled.
    given_back: its message may be received again from now on, by another run.
    """

    message: Message
    permit: Permit
    owner: str
    wall_clock: Clock
    heir_of: str | None = None
    received_at: float = 0.0
    visibility: Lease | None = None
    wait: Wait | None = None
    started_at: float | None = None
    ran: float | None = None
    output: str = ""
    is_over: bool = False
    given_back: bool = False
    claim: Claimed | None = None
    process: Process | None = None
    leases: set[Lease] = field(default_factory=set)
    _last_wait: Wait | None = None
    _job: Job | None = None
    _lost: str | None = None
    _seconds_left: float = 0.0

    @property
    def job(self) -> Job:
        """What the message asks for; only after it was parsed."""
        assert self._job is not None
        return self._job

    @job.setter
    def job(self, job: Job) -> None:
        self._job = job

    @property
    def parsed(self) -> Job | None:
        """What the message asks for, None if it is not parsed yet or is invalid."""
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
        """Seconds until the job's life_time is over, None if it has none."""
        expires_at = self.job.expires_at
        return None if expires_at is None else expires_at - self.wall_clock()

    def check_life_time(self) -> None:
        """Raises OverLifeTime."""
        left = self.life_left()
        if left is not None and left <= 0:
            raise OverLifeTime("over its life_time")

    def check_leases(self) -> None:
        """Raises LeaseLost if the run has lost a lease that it needs, by the clock alone.

        The keeper notices a lapse only at its next turn.
        """
        if self._lost is None:
            self._lost = min((one.what for one in self.leases if not one.is_safe), default=None)
        if self._lost is not None:
            raise LeaseLost(f"lost the lease of its {self._lost}")

    def lose(self, what: str, seconds_left: float) -> None:
        """A lease is lost: the process ends within `seconds_left`."""
        self._lost = what
        self._seconds_left = seconds_left
        self._end_if_lost()

    def release_visibility(self) -> None:
        """Stop extending the visibility timeout; returns once no extension is under way."""
        if self.visibility is not None:
            self.visibility.release()

    def let_go(self) -> None:
        """Let go of everything. What is not settled lapses; the message comes back by itself."""
        self.permit.close()
        if self.claim is not None:
            self.claim.abandon()
        self.release_visibility()

    def give_back(self) -> None:
        """The message becomes visible next: a delivery from now on belongs to another run."""
        self.given_back = True
        self.release_visibility()

    @property
    def is_running(self) -> bool:
        """Whether its command has started and has not ended."""
        return self.process is not None

    @contextmanager
    def waiting(
        self,
        room: WaitingRoom,
        what: str,
        holder: Callable[[], str | None],
        seconds: float | None = None,
    ) -> Iterator[None]:
        """Wait in the room for the block, with the permit lent out. what, holder: see Wait.

        seconds: how long at most, None for no limit. Raises OverLifeTime or Stopping.
        """
        last = self._last_wait
        # Several tries at one lock are one wait.
        since = last.since if last is not None and last.what == what else self.wall_clock()
        self.wait = self._last_wait = Wait(what, since, holder)
        try:
            with self.permit.lent(), room.waiting(seconds):
                yield
        finally:
            self.wait = None

    def running(self, process: Process) -> AbstractContextManager[None]:
        """The process is killed if a lease is lost, and if the block raises LeaseLost."""
        return _Running(self, process)

    def _end_if_lost(self) -> None:
        if self._lost is not None and self.process is not None:
            self.process.kill(LEASE_LOST, grace=self._seconds_left / 2)


class _Running:
    """The process of a run. A class, since a generator would take six times its memory."""

    __slots__ = ("_process", "_run")

    def __init__(self, run: Run, process: Process) -> None:
        self._run = run
        self._process = process

    def __enter__(self) -> None:
        self._run.process = self._process

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, *__: object
    ) -> None:
        try:
            if isinstance(error, LeaseLost):
                self._process.kill(LEASE_LOST, grace=0)
        finally:
            self._run.process = None
