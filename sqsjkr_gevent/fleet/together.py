"""What any process of a fleet shows over HTTP: the whole fleet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client.registry import Collector

from ..kicker import Kicker
from ..web import Overview, ProcessState
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
        states = self._peers.states()
        busy = sum(state.busy for state in states)
        return busy, sum(state.slots for state in states) - busy

    def invocations(self) -> Mapping[str, int]:
        """Of all processes, including ended ones."""
        return self.history.totals()

    def _states(self) -> Sequence[ProcessState]:
        states = self._peers.states()
        for state in states:
            if state.queue_depth is not None:
                # One of them asks SQS, the others learn it.
                self._parts.depth.learn(state.queue_depth)
        return states

    def _counted(self) -> Collector:
        return collector(self._metrics)
