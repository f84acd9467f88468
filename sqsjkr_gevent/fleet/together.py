"""What any process of a fleet shows over HTTP: the whole fleet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client.registry import Collector

from ..kicker import Kicker
from ..telemetry import Depth
from ..web import Member, Overview
from .peers import Peers
from .values import collector


class Together(Overview):
    """An Overview of all processes: slots and jobs from each one, counters from shared files."""

    def __init__(self, kicker: Kicker, peers: Peers, metrics: Path) -> None:
        super().__init__(kicker.parts, kicker.live, kicker.view.token)
        self._peers = peers
        self._metrics = metrics

    def slots(self) -> tuple[int, int]:
        """Of all processes."""
        members = self._peers.members()
        busy = sum(member["busy"] for member in members)
        return busy, sum(member["slots"] for member in members) - busy

    def invocations(self) -> Mapping[str, int]:
        """Of all processes, including ended ones."""
        return self.history.totals()

    def _members(self) -> Sequence[Member]:
        members = self._peers.members()
        for member in members:
            if member["queue_depth"] is not None:
                # One process queries SQS, the others get its result.
                self._parts.depth.learn(Depth.of_json(member["queue_depth"]))
        return members

    def _counted(self) -> Collector:
        return collector(self._metrics)
