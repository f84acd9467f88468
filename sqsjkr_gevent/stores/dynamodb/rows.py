"""The attributes of a row that both the locker and the throttler read."""

from ...aws.table import Row
from ..lapse import LeaseWatch

#: The states of a job.
DONE = "done"
RUNNING = "running"


def is_of(row: Row, owner: str) -> bool:
    """Whether the row is that owner's, as after an earlier try whose answer was lost."""
    return owner_of(row) == owner


def owner_of(row: Row) -> str | None:
    """The owner, None for a sqsjkr host."""
    return row.get("Owner", {}).get("S")


def lapses_in(watch: LeaseWatch, row_id: str, row: Row) -> float | None:
    """Seconds until the row's lease has lapsed, None if it has no lease."""
    if "Owner" not in row or "Lease" not in row:
        watch.forget(row_id)
        return None
    lease = float(row["Lease"]["N"])
    return watch.lapses_in(row_id, row["Owner"]["S"], int(row["Version"]["N"]), lease)
