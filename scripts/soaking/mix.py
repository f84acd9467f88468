"""The mix of jobs, sent at a steady pace and never more ahead than the kickers can follow."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent

from jobs import Evidence
from servers import Queue

#: Jobs sent per second at most, and jobs that are sent and not done at most.
PACE = 8.0
AHEAD = 40

LOCKS = 8
GROUPS = 4

#: The exit code of a job that is to be retried.
AGAIN = 75

#: How the command of a job gets away from its process group.
AWAY = (
    "timeout 60 sh -c '{}'",
    "setsid -w sh -c '{}' >/dev/null 2>&1",
    "timeout 60 setsid -w sh -c '{}' >/dev/null 2>&1",
    "setsid -f sh -c '{}'",
)

#: Kinds of jobs, and how many of each come among a hundred.
SHARES = {
    "short": 38,
    "locked": 20,
    "away": 10,
    "fifo": 10,
    "retried": 7,
    "loud": 6,
    "invalid": 6,
    "long": 3,
}

#: Bodies that are no job. Each gets the name of its job, so that none is like another.
INVALID = (
    '{{"command": 5, "event_id": "{}"}}',
    '{{"command": "true", "envs": ["{}"]}}',
    '{{"command": "true", "life_time": "{}"}}',
    "{} {{",
    '["{}"]',
)


@dataclass
class Mix:
    """What was sent. long: seconds that a long job runs, more than a lease."""

    evidence: Evidence
    directory: Path
    queue: Queue
    fifo: Queue
    chance: random.Random
    long: float
    sent: Counter[str] = field(default_factory=Counter)
    invalid: set[str] = field(default_factory=set)
    _done: int = 0
    _read: int = 0

    def run(self) -> None:
        """Send jobs until the greenlet is killed."""
        while True:
            if sum(self.sent.values()) - len(self.invalid) - self.done() < AHEAD:
                self._send()
            gevent.sleep(self.chance.expovariate(PACE))

    def done(self) -> int:
        """How many effects the jobs have had. Reads only what was written since the last call."""
        records = self.directory / "evidence" / "records"
        if records.exists():
            with records.open("rb") as file:
                file.seek(self._read)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read += len(whole)
            self._done += sum(line.startswith(b"done ") for line in whole.splitlines())
        return self._done

    def _send(self) -> None:
        kind = self.chance.choices([*SHARES], [*SHARES.values()])[0]
        name = f"{kind}-{sum(self.sent.values())}"
        seconds = round(self.chance.uniform(0.0, 0.4), 2)
        if kind == "invalid":
            body = self.chance.choice(INVALID).format(name)
            self.queue.send(body)
            self.invalid.add(body)
        elif kind == "fifo":
            group = f"G{self.chance.randrange(GROUPS)}"
            job = self.evidence.job(name, seconds, group=group)
            options = {"MessageGroupId": group, "MessageDeduplicationId": name}
            self.fifo.send(job, **options)
        else:
            self.queue.send(self._job(kind, name, seconds))
        self.sent[kind] += 1

    def _job(self, kind: str, name: str, seconds: float) -> dict[str, Any]:
        lock_id = f"L{self.chance.randrange(LOCKS)}" if kind == "locked" else None
        job = self.evidence.job(name, self.long if kind == "long" else seconds, lock_id)
        command = job["command"]
        if kind == "away":
            command = self.chance.choice(AWAY).format(command)
        elif kind == "loud":
            command = f"yes {name} | head -c 20000000; {command}"
        elif kind == "retried":
            tried = self.directory / f"tried-{name}"
            command = f"if [ ! -e {tried} ]; then touch {tried}; exit {AGAIN}; fi; {command}"
        return job | {"command": command}


def dead_letters(queue: Queue) -> Counter[str]:
    """How often each body is in the dead-letter queue, which is empty afterwards."""
    assert queue.dead_letters is not None
    found: Counter[str] = Counter()
    while messages := queue.dead_letters.receive():
        for message in messages:
            found[message["Body"]] += 1
            queue.dead_letters.delete(message)
    return found
