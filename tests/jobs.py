"""Jobs that record their begins and effects, and what the history of those says."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from checker import BEGUN, ENDED, SENT, SETTLED, Event, Fault, check
from kickers import KickerProcess


class Evidence:
    """What jobs write into a directory. File locks of the kernel show which runs have ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "evidence"
        self._directory.mkdir()
        self._records = self._directory / "records"
        self._made: list[Event] = []

    def job(
        self,
        name: str,
        seconds: float,
        lock_id: str | None = None,
        group: str | None = None,
        **keys: Any,
    ) -> dict:
        """A job that runs for that many seconds and then has its effect.

        group: in which its message is sent.
        """
        self._made.append(Event(kind=SENT, at=time.time(), job=name, group=group))
        guards = [f"job-{name}"]
        if lock_id is not None:
            guards.append(f"lock-{lock_id}")
            keys["lock_id"] = lock_id
        what = f"{name} ${{SQSJKR_RUN_ID:-$$}} {lock_id or '-'} ${{SQSJKR_LOCK_TOKEN:--}}"
        command = "; ".join(
            [
                "at=",
                *(
                    f"exec {9 - number}>{self._directory}/{guard}; "
                    f'flock -n {9 - number} && at="$at {guard}"'
                    for number, guard in enumerate(guards)
                ),
                f"echo begun {what} $(date +%s.%N) $at >> {self._records}",
                f"sleep {seconds}",
                f"echo done {what} $(date +%s.%N) >> {self._records}",
            ]
        )
        return {"command": command, "event_id": name, **keys}

    def _lines(self) -> list[list[str]]:
        text = self._records.read_text() if self._records.exists() else ""
        return [line.split() for line in text.splitlines()]

    @property
    def begun(self) -> Counter:
        """How often each job began."""
        return Counter(name for kind, name, *_ in self._lines() if kind == "begun")

    @property
    def done(self) -> Counter:
        """How often each job had its effect."""
        return Counter(name for kind, name, *_ in self._lines() if kind == "done")

    def faults(self, kickers: Iterable[KickerProcess] = ()) -> list[Fault]:
        """What the history breaks. kickers: whose logs say when jobs were settled.

        Without them a job counts as settled at its last effect.
        """
        return check([*self._made, *self._history(), *settlings(kickers)])

    def _history(self) -> Iterator[Event]:
        """A run that was killed records no end; whoever gets its file lock next shows that it has
        ended.
        """
        running: dict[str, Event] = {}
        effects: dict[str, Event] = {}
        for kind, name, run, lock_id, token, at, *guards in self._lines():
            event = Event(
                kind=BEGUN if kind == "begun" else ENDED,
                at=float(at),
                job=name,
                run=run,
                kicker=run.rpartition(":")[0],
                lock_id=None if lock_id == "-" else lock_id,
                token=None if token == "-" else int(token),
            )
            if event.kind == BEGUN:
                for other in list(running.values()):
                    if f"job-{other.job}" in guards or f"lock-{other.lock_id}" in guards:
                        yield _as(ENDED, running.pop(other.run), event.at)
                running[run] = event
            else:
                running.pop(run, None)
                effects[name] = event
            yield event
        for effect in effects.values():
            yield _as(SETTLED, effect, effect.at)


def _as(kind: str, event: Event, at: float) -> Event:
    return Event(kind=kind, at=at, job=event.job, run=event.run, kicker=event.kicker)


def settlings(kickers: Iterable[KickerProcess]) -> Iterator[Event]:
    """When jobs were settled for good, by the logs; only for kickers that retry no job."""
    for kicker in kickers:
        for line in kicker.lines("job settled"):
            if line["outcome"] != "returned":
                at = datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")).timestamp()
                yield Event(kind=SETTLED, at=at, job=line.get("event_id", line["job_id"]))


def processes_of(name: str) -> list[int]:
    """The live processes of a kicker's jobs. name: the kicker's."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get("SQSJKR_RUN_ID", "").startswith(f"{name}:")
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
