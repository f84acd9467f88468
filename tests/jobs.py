"""Jobs that record each effect, and each overlap with the same job or with a job of their lock."""

from collections import Counter
from pathlib import Path
from typing import Any

import psutil


class Evidence:
    """What jobs write into a directory. File locks of the kernel detect overlaps."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "evidence"
        self._directory.mkdir()

    def job(self, name: str, seconds: float, lock_id: str | None = None, **keys: Any) -> dict:
        """A job that runs for that many seconds and then has its effect."""
        at = self._directory
        guards = [f"exec 9>{at}/job-{name}; flock -n 9 || echo job-{name} >> {at}/overlaps"]
        if lock_id is not None:
            guards.append(f"exec 8>{at}/lock-{lock_id}; flock -n 8 || echo {name} >> {at}/overlaps")
            keys["lock_id"] = lock_id
        command = "; ".join(
            [*guards, f"echo {name} >> {at}/begun", f"sleep {seconds}", f"echo {name} >> {at}/done"]
        )
        return {"command": command, "event_id": name, **keys}

    def _counted(self, name: str) -> Counter:
        file = self._directory / name
        return Counter(file.read_text().split()) if file.exists() else Counter()

    @property
    def begun(self) -> Counter:
        """How often each job began."""
        return self._counted("begun")

    @property
    def done(self) -> Counter:
        """How often each job had its effect."""
        return self._counted("done")

    @property
    def overlaps(self) -> Counter:
        """Jobs that ran at the same time as another run of the job or another job of their lock."""
        return self._counted("overlaps")


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
