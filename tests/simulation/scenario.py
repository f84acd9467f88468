"""What a seed stands for: a fleet, its jobs, and the faults that befall it. Pure data.

Swarm testing: each scenario has a random subset of the kinds of faults, since a fault of one kind
can hide what another would show.
"""

from dataclasses import dataclass, field, replace
from random import Random

from .network import TROUBLES
from .sqs import Surprises

#: Faults that befall one kicker, and those that befall the calls to a service.
ACTOR_FAULTS = ("kill", "stand_still", "drain", "hurry", "exhausted", "wall_jump", "watcher_dies")
SERVICES = ("sqs", "dynamodb")

#: Seconds of a fleet's life in which jobs are sent and faults happen.
LIFE = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A message to send. at: when. seconds, status: how long its command runs, and its end.

    stubborn: SIGTERM does not end its command. valid: false for a body that is no job.
    """

    at: float
    seconds: float = 1.0
    status: int = 0
    stubborn: bool = False
    valid: bool = True
    lock_id: str | None = None
    abort_if_locked: bool = False
    life_time: int = 0
    kill_over_life_time: bool = False
    timeout: int = 0
    group: str | None = None

    @property
    def must_end(self) -> bool:
        """Whether its command must have come to its end before it is settled."""
        return self.valid and not (self.abort_if_locked or self.life_time or self.timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault. kicker: its number, None for all. seconds: how long it lasts.

    turns: it comes that many turns of the kicker after its time. service, share: of a trouble.
    """

    at: float
    kind: str
    kicker: int | None = None
    seconds: float = 0.0
    turns: int = 0
    service: str = ""
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that a seed stands for. hosts: of each kicker, the number of its host."""

    seed: int
    hosts: tuple[int, ...]
    slots: int
    visibility: int
    lease: int
    retry_interval: str
    queue: str = "jobs"
    delivery: str = "at_least_once"
    retries: bool = False
    max_receives: int = 1000
    shuffles: bool = False
    skew: float = 0.0
    surprises: Surprises = field(default_factory=Surprises)
    jobs: tuple[PlannedJob, ...] = ()
    faults: tuple[PlannedFault, ...] = ()

    @property
    def is_fifo(self) -> bool:
        """Whether its queue orders the jobs of a group."""
        return self.queue.endswith(".fifo")


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = Random(f"scenario {seed}")
    fifo = chance.random() < 0.25
    once = not fifo and chance.random() < 0.15
    kickers = chance.randint(2, 4)
    lease = chance.choice((6, 10, 15, 30, 60))
    base = Scenario(
        seed=seed,
        hosts=tuple(sorted(chance.randint(0, kickers - 1) for _ in range(kickers))),
        slots=chance.randint(1, 5),
        visibility=chance.choice((lease, 6, 10, 30, 60)),
        lease=lease,
        retry_interval=chance.choice(("500ms", "2s", "5s")),
        queue="jobs.fifo" if fifo else "jobs",
        delivery="at_most_once" if once else "at_least_once",
        retries=chance.random() < 0.3,
        max_receives=1000 if chance.random() < 0.8 else chance.randint(3, 8),
        shuffles=not fifo and chance.random() < 0.3,
        skew=chance.choice((0.0, 0.5, 5.0, 120.0)),
        surprises=_surprises(chance),
    )
    jobs = [_job(chance, base) for _ in range(chance.randint(20, 120))]
    kinds = [kind for kind in (*ACTOR_FAULTS, *TROUBLES) if chance.random() < 0.4]
    faults = [_fault(chance, kinds, base) for _ in range(chance.randint(3, 30)) if kinds]
    return replace(
        base,
        jobs=tuple(sorted(jobs, key=lambda job: job.at)),
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
    )


def _surprises(chance: Random) -> Surprises:
    def often(most: float) -> float:
        return chance.uniform(0.0, most) if chance.random() < 0.3 else 0.0

    return Surprises(
        twice=often(0.05),
        undeleted=often(0.05),
        entry=often(0.2),
        old=chance.choice((0.0, 0.5, 1.0)),
    )


def _job(chance: Random, fleet: Scenario) -> PlannedJob:
    seconds = chance.choice((0.05, 0.5, 2.0, 10.0, 60.0)) * chance.uniform(0.2, 1.5)
    locked = chance.random() < 0.5
    life_time = chance.choice((5, 30, 120)) if chance.random() < 0.1 else 0
    return PlannedJob(
        at=round(chance.uniform(0.0, LIFE), 3),
        seconds=round(seconds, 3),
        status=chance.choice((1, 75)) if chance.random() < 0.15 else 0,
        stubborn=chance.random() < 0.1,
        valid=chance.random() > 0.03,
        lock_id=f"L{chance.randint(0, 3)}" if locked else None,
        abort_if_locked=locked and chance.random() < 0.1,
        life_time=life_time,
        kill_over_life_time=bool(life_time) and chance.random() < 0.5,
        timeout=chance.choice((1, 20)) if chance.random() < 0.1 else 0,
        group=f"g{chance.randint(0, 3)}" if fleet.is_fifo else None,
    )


def _fault(chance: Random, kinds: list[str], fleet: Scenario) -> PlannedFault:
    kind = chance.choice(kinds)
    at = round(chance.uniform(0.0, LIFE), 3)
    longest = 2.5 * max(fleet.lease, fleet.visibility)
    seconds = round(chance.choice((0.1, 0.5, 1.0)) * chance.uniform(0.0, longest), 3)
    some = chance.randrange(len(fleet.hosts))
    if kind in TROUBLES:
        return PlannedFault(
            at=at,
            kind=kind,
            kicker=some if chance.random() < 0.5 else None,
            seconds=seconds,
            service=chance.choice(SERVICES),
            share=chance.choice((0.1, 0.5, 1.0)),
        )
    return PlannedFault(
        at=at, kind=kind, kicker=some, seconds=seconds, turns=chance.choice((0, 1, 2, 3, 5, 8, 20))
    )
