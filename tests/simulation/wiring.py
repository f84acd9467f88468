"""Puts the simulated system, services and processes under the real package.

Imported after system.install() and gevent's patch, since it imports the package.
"""

from logging import DEBUG
from typing import Any

from gevent import pool

from sqsjkr_gevent import Config
from sqsjkr_gevent.aws import sqs
from sqsjkr_gevent.log.logger import NAMES, Logger
from sqsjkr_gevent.process import process, runner
from sqsjkr_gevent.stores import dynamodb
from sqsjkr_gevent.worker import processes, wiring

from . import system
from .client import SimulatedClient
from .processes import (
    SimulatedGuard,
    SimulatedLauncher,
    SimulatedProcess,
    SimulatedReader,
    SimulatedRuns,
    SimulatedStrays,
)
from .scenario import Scenario

#: The table and the account of every simulation.
TABLE, ACCOUNT = "sqsjkr", "1"


class Ordered(dict[Any, None]):
    """A set in order of arrival: the order of a set of greenlets is that of their addresses."""

    def __init__(self, items: Any = ()) -> None:
        super().__init__(dict.fromkeys(items))

    def add(self, item: Any) -> None:
        """As of a set."""
        self[item] = None

    def discard(self, item: Any) -> None:
        """As of a set."""
        self.pop(item, None)

    remove = dict.__delitem__


def install(on_line: Any) -> None:
    """Replace what touches the world. on_line: called with each line of the kickers' logs."""
    replaced: dict[Any, dict[str, Any]] = {
        sqs: {"Client": SimulatedClient},
        dynamodb: {"Client": SimulatedClient},
        wiring: {"make_session": lambda account: None},
        processes: {
            "make_launcher": lambda kind: SimulatedLauncher(),
            "Runs": SimulatedRuns,
            "Guard": SimulatedGuard,
        },
        runner: {"Process": SimulatedProcess, "Strays": SimulatedStrays},
        process: {"OutputReader": SimulatedReader},
        pool: {"set": Ordered},
    }
    for module, names in replaced.items():
        for name, made in names.items():
            setattr(module, name, made)

    Logger.output = _Lines(on_line)


class _Lines:
    """The output of all loggers."""

    level = DEBUG

    def __init__(self, on_line: Any) -> None:
        self._on_line = on_line

    def tell(
        self,
        name: str,
        level: int,
        event: str,
        fields: dict[str, Any],
        error: BaseException | None,
    ) -> None:
        """See Output."""
        method = NAMES[level] if error is None else "exception"
        self._on_line(system.actor(), method, {"event": event, **fields})


def config(scenario: Scenario) -> Config:
    """The config of every kicker of the fleet."""
    retry = {"exit_codes": [75], "max_attempts": 3, "backoff": "5s"} if scenario.retries else {}
    return Config.new(
        account_id=ACCOUNT,
        region="here",
        queue_name=scenario.queue,
        max_concurrent_num=scenario.slots,
        visibility_timeout=scenario.visibility,
        delivery=scenario.delivery,
        locker_lease=scenario.lease,
        retry_interval=scenario.retry_interval,
        inherit_env=False,
        kill_grace=1,
        shutdown_timeout=10,
        **{f"retry_{key}": value for key, value in retry.items()},
    )
