"""The life of a kicker: it receives messages, and has each worked on in a greenlet of its own."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

from ..config import Config
from ..errors import GroupReturned, Stopping
from ..intake import Circuit, Permit, Receivers
from ..log import get_logger
from ..message import Message
from ..telemetry import Health
from ..worker import Parts, Run
from .crew import Crew
from .start import Opened

log = get_logger(__name__)


class Life:
    """What receives and works, over opened stores. on_death: called with what ended a receiver."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        opened: Opened,
        on_death: Callable[[BaseException | None], None],
    ) -> None:
        self._parts = parts
        self.throttler = opened.throttler
        self.jobs = Crew(max_idle=config.kicker.max_concurrent_num)
        self._numbers = count(1)
        self._settler = parts.settler(opened.throttler)
        self.circuit = Circuit(
            [*opened.checks, parts.processes.runner.probe],
            partial(_forgive, parts.health, config),
            partial(parts.health.observer("kicker"), "receive"),
        )
        self._worker = parts.worker(opened.locker, opened.throttler, self._settler, self.circuit)
        self.receivers = Receivers(
            parts.queue,
            parts.permits,
            parts.health,
            self._admit,
            on_death,
            self.circuit,
            limit=config.sqs.receivers,
        )

    def start(self) -> None:
        """Receive messages from now on."""
        self.receivers.start()
        self._parts.health.state = "running"

    def join(self) -> None:
        """Wait until the last receive and the last job have ended."""
        self.receivers.join()
        self.jobs.join()

    def _admit(self, messages: Sequence[Message]) -> None:
        """Have received messages worked on; each comes with a permit taken for it."""
        parts = self._parts
        for message in messages:
            alive = parts.runs_alive.get(message.id)
            if alive is not None and not alive.given_back:
                self._redelivered(message, alive)
                continue
            owner = f"{parts.name}:{next(self._numbers)}"
            run = Run(message, Permit(parts.permits), owner, time.time)
            parts.metrics.observe_age(time.time() - message.sent_at)
            parts.runs_alive[message.id] = run
            self._settler.keep(run)
            self.jobs.spawn(self._work, run)

    def _redelivered(self, message: Message, alive: Run) -> None:
        """A message came again although its run is alive: its visibility timeout had ended."""
        self._parts.permits.give()
        if alive.message.deleted:
            names = alive.names()
            self.jobs.spawn(lambda again: self._settler.drop(again, **names), message)
        else:
            self._settler.refresh(alive, message)

    def _work(self, run: Run) -> None:
        parts = self._parts
        try:
            with parts.groups.turn(run):
                if parts.stopping.is_set():
                    raise Stopping("the kicker stops")
                self._worker.work(run)
        except (Stopping, GroupReturned) as error:
            self._worker.turn_away(run, error)
        except Exception:
            log.exception("unforeseen fault; the message comes back by itself", **run.names())
        finally:
            # First, so that a redelivery from now on gets a run of its own.
            if parts.runs_alive.get(run.message.id) is run:
                del parts.runs_alive[run.message.id]
            run.let_go()


def _forgive(health: Health, config: Config) -> None:
    """The stores answer again. A backend calls its service by its own name."""
    health.forgive(config.locker.backend)
    health.forgive(config.throttler.backend)
