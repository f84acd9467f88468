"""Counters of job outcomes."""

from collections import Counter

from ..job import Outcome


class Stats:
    """How many jobs ended with each outcome since the kicker started."""

    def __init__(self) -> None:
        self._ended: Counter[Outcome] = Counter()

    def count(self, outcome: Outcome) -> None:
        """One more job ended so."""
        self._ended[outcome] += 1

    def __getitem__(self, outcome: Outcome) -> int:
        return self._ended[outcome]
