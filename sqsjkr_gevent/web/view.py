"""What the web face asks of a kicker, or of a fleet of them."""

from collections.abc import Mapping
from typing import Any, Protocol

from ..history import History


class Counts(Protocol):
    """What sqsjkr's stats tell. invocations: ends by outcome."""

    @property
    def busy(self) -> int:
        """Jobs that run."""

    @property
    def idle(self) -> int:
        """Slots in which none runs."""

    @property
    def invocations(self) -> Mapping[str, int]:
        """Ends by outcome."""


class View(Protocol):
    """All that is shown. token: what whoever asks has to show; None: nothing."""

    token: str | None

    @property
    def history(self) -> History:
        """The ends of jobs."""

    def counts(self) -> Counts:
        """Slots and counters."""

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether there is progress, and the details as a JSON object."""

    def state(self) -> dict[str, Any]:
        """What happens now, as a JSON object."""

    def series(self) -> dict[str, Any]:
        """Ends of the last hour over time, as a JSON object."""

    def metrics(self) -> bytes:
        """The text that Prometheus reads."""


class Viewed(Protocol):
    """A kicker, or a fleet."""

    @property
    def view(self) -> View:
        """What is shown of it."""
