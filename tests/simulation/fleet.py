"""A fleet of real kickers in a simulated world: lives a scenario, and tells what happened."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import gevent
from gevent.hub import Hub, set_hub

from checker import BEGUN, ENDED, LOCKED, SENT, SETTLED, UNLOCKED, Event, Fault, check
from sqsjkr_gevent import Kicker

from . import system, wiring
from .client import SimulatedClient
from .dynamodb import DynamoDB
from .expressions import Row
from .loop import Actor, VirtualLoop
from .network import TROUBLES, Network, Trouble
from .processes import Child, Kernel, command
from .scenario import LIFE, PlannedFault, PlannedJob, Scenario
from .sqs import Queue, Sqs, Stored

#: Seconds after the faults within which all is settled, and those that a stop may take.
SETTLED_WITHIN = 4 * 3600.0
STOPPED_WITHIN = 120.0

#: Turns after which something is taken to spin.
MAX_TURNS = 5_000_000


@dataclass
class Result:
    """What came of a scenario. counts: what happened how often. log: a line for each event."""

    faults: list[Fault]
    counts: Counter[str]
    log: list[str]

    @property
    def digest(self) -> str:
        """The same for the same log, byte for byte."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()[:16]


@dataclass(eq=False)
class Host:
    """A host: its processes, and what its clocks are ahead."""

    name: str
    kernel: Kernel
    wall: float
    uptime: float


@dataclass(eq=False)
class Member:
    """A kicker of the fleet, from one start to its end."""

    number: int
    actor: Actor
    started_at: float
    kicker: Kicker | None = None
    ended: bool = False


class Fleet:
    """Lives a scenario once, in a process of its own."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._config = wiring.config(scenario)
        seed = scenario.seed
        self._chance = Random(f"world {seed}")
        self.loop = loop = VirtualLoop(Random(f"order {seed}"), shuffles=scenario.shuffles)
        self.events: list[Event] = []
        self.log: list[str] = []
        self.failures: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self._jobs: dict[str, PlannedJob] = {}
        self._came_to_end: set[str] = set()
        self._sqs = Sqs(
            lambda: system.epoch(loop), Random(f"sqs {seed}"), scenario.surprises, self._gone
        )
        self._dead_letters = self._sqs.create("dead" + (".fifo" if scenario.is_fifo else ""))
        self._queue = self._sqs.create(scenario.queue, self._dead_letters, scenario.max_receives)
        self._table = DynamoDB(wiring.TABLE, self._written)
        services: Any = {"sqs": self._sqs, "dynamodb": self._table}
        self._network = Network(loop, Random(f"network {seed}"), services, self.tell)
        self._hosts = [self._host(number) for number in range(len(scenario.hosts))]
        self._members: list[Member] = []
        self._graves: list[Member] = []
        self._starts = 0

    def live(self) -> Result:
        """Live it to its end."""
        hub = Hub(loop=self.loop)
        hub.handle_error = self._on_error
        set_hub(hub)
        system.begin(self.loop, self._scenario.seed)
        SimulatedClient.network = self._network
        for number in range(len(self._scenario.hosts)):
            self.loop.at(self._chance.uniform(0, 5), self._start, number)
        for job in self._scenario.jobs:
            self.loop.at(job.at, self._send, job)
        for fault in self._scenario.faults:
            self.loop.at(fault.at, self._befall, fault)
        gevent.sleep(LIFE)
        self._settle()
        self._stop()
        return self._result()

    def tell(self, text: str) -> None:
        """A line of the log."""
        self.log.append(f"{self.loop.time:.6f} {text}")

    def on_line(self, actor: Actor, method: str, event: dict[str, Any]) -> None:
        """A line of a kicker's log."""
        what = event.pop("event")
        self.counts[f"log: {what}"] += 1
        self.tell(f"{actor.name} {method}: {what} {json.dumps(event, default=str)}")
        if method == "exception":
            self._fail("exception", actor.name, what)

    # The life of kickers.

    def _host(self, number: int) -> Host:
        skew = self._scenario.skew
        kernel = Kernel(
            self.loop, Random(f"host {self._scenario.seed} {number}"), self._begun, self._over
        )
        wall, uptime = self._chance.uniform(-skew, skew), self._chance.uniform(0, 1e6)
        return Host(f"host{number}", kernel, wall, uptime)

    def _start(self, number: int) -> None:
        host = self._hosts[self._scenario.hosts[number]]
        self._starts += 1
        actor = Actor(
            f"k{number}.{self._starts}",
            host=host.name,
            pid=1000 + self._starts,
            wall=host.wall,
            uptime=host.uptime,
        )
        actor.kernel = host.kernel
        member = Member(number, actor, self.loop.time)
        self._members.append(member)
        self.tell(f"{actor.name} starts")
        with self.loop.turn_of(actor):
            gevent.spawn(self._run, member)

    def _run(self, member: Member) -> None:
        error: BaseException | None = None
        try:
            member.kicker = Kicker(self._config)
            member.kicker.run(handle_signals=False, serve_stats=False)
        except BaseException as raised:  # noqa: BLE001  (told below)
            error = raised
        self.loop.post(self.loop.world, self._ended, member, error)

    def _ended(self, member: Member, error: BaseException | None) -> None:
        self.tell(f"{member.actor.name} has ended: {error!r}")
        if error is not None:
            self._fail("died", member.actor.name, repr(error))
        member.ended = True
        self._bury(member)

    def _bury(self, member: Member) -> None:
        self.counts["kicker seconds"] += round(self.loop.time - member.started_at)
        self._members.remove(member)
        self._graves.append(member)

    def _die(self, member: Member, fault: PlannedFault) -> None:
        if member.ended or member.actor.dead:
            return
        self.counts["kills"] += 1
        self.tell(f"{member.actor.name} is killed")
        self.loop.kill(member.actor)
        member.actor.kernel.died(member.actor)
        self._bury(member)
        self.loop.at(fault.seconds, self._start, member.number)

    # Faults.

    def _befall(self, fault: PlannedFault) -> None:
        self.tell(f"fault {fault}")
        if fault.kind in TROUBLES:
            self._trouble(fault)
            return
        member = next((one for one in self._members if one.number == fault.kicker), None)
        if member is None or member.actor.stopped or member.actor.on_fuse is not None:
            return
        if fault.turns and fault.kind in ("kill", "stand_still"):
            member.actor.fuse = fault.turns
            member.actor.on_fuse = lambda: self._strike(fault, member)
        else:
            self._strike(fault, member)

    def _trouble(self, fault: PlannedFault) -> None:
        kicker = fault.kicker
        host = None if kicker is None else self._hosts[self._scenario.hosts[kicker]].name
        trouble = Trouble(fault.kind, fault.service, fault.share, host)
        self._network.troubles.append(trouble)
        self.loop.at(fault.seconds, self._network.troubles.remove, trouble)
        self.counts["troubles"] += 1

    def _strike(self, fault: PlannedFault, member: Member) -> None:
        actor = member.actor
        self.counts[fault.kind] += 1
        host = self._hosts[self._scenario.hosts[member.number]]
        if fault.kind == "kill":
            self._die(member, fault)
        elif fault.kind == "stand_still":
            self.tell(f"{actor.name} stands still")
            self.loop.stop_actor(actor)
            self.loop.at(fault.seconds, self.loop.resume, actor)
        elif fault.kind in ("drain", "hurry"):
            self._drain(member, fault)
        elif fault.kind == "exhausted":
            host.kernel.exhausted = True
            self.loop.at(fault.seconds, setattr, host.kernel, "exhausted", False)
        elif fault.kind == "wall_jump":
            host.wall += fault.seconds
            for one in self._members:
                if self._scenario.hosts[one.number] == self._scenario.hosts[member.number]:
                    one.actor.wall = host.wall
        elif actor in host.kernel.watchers:
            host.kernel.watchers[actor].end(-9)

    def _drain(self, member: Member, fault: PlannedFault) -> None:
        if member.kicker is None:
            return
        self.loop.post(member.actor, member.kicker.stop)
        if fault.kind == "hurry":
            self.loop.at(0.5, self.loop.post, member.actor, member.kicker.stop)
        self._start_again(member, fault.seconds)

    def _start_again(self, member: Member, seconds: float) -> None:
        if member.actor.dead:
            return  # Then it is started by whatever killed it.
        if member.ended:
            self.loop.at(seconds, self._start, member.number)
        else:
            self.loop.at(0.5, self._start_again, member, seconds)

    # What happens to jobs.

    def _send(self, job: PlannedJob) -> None:
        number = len(self._jobs)
        body = {
            "command": command(job.seconds, job.status, stubborn=job.stubborn),
            "lock_id": job.lock_id or "",
            "abort_if_locked": job.abort_if_locked,
            "life_time": job.life_time,
            "kill_over_life_time": job.kill_over_life_time,
            "timeout": job.timeout,
        }
        arguments: dict[str, Any] = {
            "QueueUrl": self._queue.url,
            "MessageBody": json.dumps(body) if job.valid else "no job",
        }
        if job.group is not None:
            arguments |= {"MessageGroupId": job.group, "MessageDeduplicationId": f"d{number}"}
        job_id = self._sqs.call("send_message", arguments)["MessageId"]
        self._jobs[job_id] = job
        self.counts["jobs"] += 1
        self._happened(SENT, job_id, group=job.group)

    def _happened(self, kind: str, job: str, **fields: Any) -> None:
        event = Event(kind=kind, at=self.loop.time, job=job, **fields)
        self.events.append(event)
        self.tell(f"{kind} {job} {json.dumps(fields)}")

    def _begun(self, child: Child) -> None:
        job_id = child.env.get("SQSJKR_JOB_ID")
        if job_id is not None:
            token = child.env.get("SQSJKR_LOCK_TOKEN")
            self.counts["runs"] += 1
            self._happened(
                BEGUN,
                job_id,
                run=child.mark or "",
                kicker=_kicker_of(child.mark or ""),
                lock_id=self._jobs[job_id].lock_id,
                token=None if token is None else int(token),
            )

    def _over(self, child: Child) -> None:
        job_id = child.env.get("SQSJKR_JOB_ID")
        if job_id is not None:
            mark = child.mark or ""
            self._happened(ENDED, job_id, run=mark, kicker=_kicker_of(mark))
            if (child.returncode or 0) >= 0:
                self.counts["runs to their end"] += 1
                self._came_to_end.add(job_id)

    def _gone(self, queue: Queue, message: Stored, why: str) -> None:
        if queue is self._queue:
            row = _Holder(self._table.rows.get((message.id, "throttle")))
            by = row.owner if row.status == "done" else ""
            self._happened(SETTLED, message.id, run=by, kicker=_kicker_of(by))

    def _written(self, before: Row | None, after: Row | None) -> None:
        """The table's rows tell who has which lock, and which job is done."""
        old, new = _Holder(before), _Holder(after)
        row = after or before or {}
        row_id = row["Id"]["S"]
        if row["Type"]["S"] == "throttle":
            if new.status == "done" and old.status != "done":
                if self._scenario.delivery == "at_most_once":
                    return  # The job is released again if its message cannot be deleted.
                self._happened(SETTLED, row_id, run=new.owner, kicker=_kicker_of(new.owner))
            elif old.owner and new.owner and new.owner != old.owner:
                self.counts["take-overs of jobs"] += 1
        elif new.event_id and new.owner != old.owner:
            self.counts["take-overs of locks"] += bool(old.event_id)
            self._happened(
                LOCKED,
                new.event_id,
                run=new.owner,
                kicker=_kicker_of(new.owner),
                lock_id=row_id,
                token=new.token,
            )
        elif old.event_id and not new.event_id:
            self._happened(
                UNLOCKED, old.event_id, run=old.owner, kicker=_kicker_of(old.owner), lock_id=row_id
            )

    # The end.

    def _settle(self) -> None:
        """All faults are over soon: everything is settled then."""
        until = self.loop.time + SETTLED_WITHIN
        while self._queue.messages or self.loop.time < LIFE + 400:
            if self.loop.time > until or self.loop.turns > MAX_TURNS:
                self._fail("stuck", "queue", f"{len(self._queue.messages)} messages are left")
                return
            gevent.sleep(5)

    def _stop(self) -> None:
        members = list(self._members)
        for member in members:
            if member.kicker is not None:
                self.loop.post(member.actor, member.kicker.stop)
        gevent.sleep(STOPPED_WITHIN)
        for member in members:
            if not member.ended:
                self._fail("stuck", member.actor.name, "it does not stop")
        left = sum(len(host.kernel.children) for host in self._hosts)
        if left:
            self._fail("left", "processes", f"{left} run after the stop")

    def _result(self) -> Result:
        faults = [*self.failures, *check(self.events, limit=self._scenario.slots)]
        if self._scenario.delivery == "at_least_once":
            faults += self._cut_short()
        self.counts["turns"] = self.loop.turns
        return Result(faults, self.counts, self.log)

    def _cut_short(self) -> Iterator[Fault]:
        """A job is settled once a run of it came to its end, or as a dead letter."""
        dead = {
            one.attributes.get("SqsjkrMessageId", {}).get("StringValue", one.id)
            for one in self._dead_letters.messages.values()
        }
        settled = {event.job: event.at for event in self.events if event.kind == SETTLED}
        for job_id, job in self._jobs.items():
            if job.must_end and job_id in settled.keys() - dead - self._came_to_end:
                yield Fault("cut short", job_id, settled[job_id], "no run of it came to its end")

    def _fail(self, kind: str, what: str, text: str) -> None:
        self.failures.append(Fault(kind, what, self.loop.time, text))

    def _on_error(self, context: Any, kind: Any, value: Any, trace: Any) -> None:
        """What a greenlet did not catch."""
        if not issubclass(kind, gevent.GreenletExit):
            self.tell(f"{self.loop.current.name} uncaught: {value!r} in {context}")
            self._fail("uncaught", self.loop.current.name, repr(value))


class _Holder:
    """Who has a row."""

    def __init__(self, row: Row | None) -> None:
        row = row or {}
        self.owner: str = row.get("Owner", {}).get("S", "")
        self.status: str = row.get("Status", {}).get("S", "")
        self.event_id: str = row.get("EventId", {}).get("S", "")
        self.token = int(row["Token"]["N"]) if "Token" in row else None


def _kicker_of(owner: str) -> str:
    return owner.rpartition(":")[0]


def live(scenario: Scenario) -> Result:
    """Live a scenario, in a process that does nothing else."""
    fleet = Fleet(scenario)
    wiring.install(fleet.on_line)
    return fleet.live()
