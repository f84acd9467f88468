"""Counters of job outcomes."""

from collections import Counter

from ..job import Outcome


class Stats:
    """Numbers of jobs that ended with each outcome since the kicker started."""

    def __init__(self) -> None:
        self._ended: Counter[Outcome] = Counter()

    def count(self, outcome: Outcome) -> None:
        """Count a job that ended with this outcome."""
        self._ended[outcome] += 1

    def __getitem__(self, outcome: Outcome) -> int:
        return self._ended[outcome]
