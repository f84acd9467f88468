"""What goes wrong during a soak, drawn from a seed: kills, standstills, reloads, the network."""

import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import gevent
import psutil

from crew import LEASE, Crew
from proxy import Proxy

#: Seconds between two faults of a kind: at least, at most.
PROCESS_EVERY = (4.0, 12.0)
NETWORK_EVERY = (4.0, 12.0)

#: Seconds of an outage, at most; a lease has more.
OUTAGE = 6.0

#: How single calls fail.
CALLS = ("500", "503", "reset before", "reset after", "truncated")


@dataclass
class Faults:
    """Injects them. chance: for processes, and for the network, each with a seed of its own."""

    crew: Crew
    proxies: dict[str, Proxy]
    processes: random.Random
    network: random.Random
    made: Counter[str] = field(default_factory=Counter)
    _asleep: set[psutil.Process] = field(default_factory=set)

    def run_processes(self) -> None:
        """Kill, stop and reload processes until the greenlet is killed."""
        kinds: dict[Callable[[], None], int] = {
            self._kill_worker: 4,
            self._stand_still: 4,
            self._kill_fifo: 2,
            self._reload: 1,
        }
        while True:
            gevent.sleep(self.processes.uniform(*PROCESS_EVERY))
            self.processes.choices([*kinds], [*kinds.values()])[0]()
            self.crew.replace_fifo()

    def run_network(self) -> None:
        """Break calls and connections until the greenlet is killed."""
        while True:
            gevent.sleep(self.network.uniform(*NETWORK_EVERY))
            self.network.choice([self._outage, self._resets, self._bad_calls])()

    def heal(self) -> None:
        """End all that is under way."""
        for process in [*self._asleep]:
            self._wake(process)
        for proxy in self.proxies.values():
            proxy.heal()
        self.crew.replace_fifo()

    def _kill_worker(self) -> None:
        workers = self.crew.workers()
        if workers:
            self.made["kills"] += 1
            with suppress(psutil.NoSuchProcess):
                self.processes.choice(workers).kill()

    def _kill_fifo(self) -> None:
        self.made["kills"] += 1
        self.crew.fifo.process.kill()
        self.crew.fifo.wait()

    def _stand_still(self) -> None:
        """Stop any kicker for up to two leases. gunicorn replaces none before 30 s."""
        with suppress(psutil.NoSuchProcess):
            alone = [psutil.Process(one.pid) for one in (self.crew.lone, self.crew.fifo)]
            victim = self.processes.choice([*self.crew.workers(), *alone])
            self.made["standstills"] += 1
            victim.suspend()
            self._asleep.add(victim)
            gevent.spawn_later(self.processes.uniform(0.5, 2 * LEASE), self._wake, victim)

    def _wake(self, process: psutil.Process) -> None:
        self._asleep.discard(process)
        with suppress(psutil.NoSuchProcess):
            process.resume()

    def _reload(self) -> None:
        self.made["reloads"] += 1
        self.crew.fleet.send(signal.SIGHUP)

    def _outage(self) -> None:
        self.made["outages of DynamoDB"] += 1
        self.proxies["dynamodb"].fail("*", "503")
        gevent.sleep(self.network.uniform(1.0, OUTAGE))
        self.proxies["dynamodb"].heal()

    def _resets(self) -> None:
        self.made["resets of all connections"] += 1
        with self.network.choice([*self.proxies.values()]).cut():
            gevent.sleep(self.network.uniform(0.2, 2.0))

    def _bad_calls(self) -> None:
        self.made["bursts of failing calls"] += 1
        proxy = self.network.choice([*self.proxies.values()])
        proxy.fail("*", self.network.choice(CALLS), self.network.randrange(1, 20))
        gevent.sleep(2.0)
        proxy.heal()
