"""What is made known of a job's end."""

from .circuit import Circuit
from .errors import StoreError
from .outcome import Ending
from .stats import Stats


class Report:
    """Counts ends, and opens the circuit where a store kept a job from being run."""

    def __init__(self, stats: Stats, circuit: Circuit) -> None:
        self._stats = stats
        self._circuit = circuit

    def ended(self, ending: Ending) -> None:
        """A job has ended, and its message is settled."""
        self._stats.count(ending.outcome)
        if isinstance(ending.error, StoreError):
            self._circuit.trip(ending.error)
        elif ending.error is None:
            self._circuit.proved()
