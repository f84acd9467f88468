"""The gunicorn worker that is a kicker.

gunicorn's master loads this module as well, unpatched: what a kicker needs is imported in the
worker, where gevent has patched already.
"""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from gunicorn.workers.ggevent import GeventWorker

from ..errors import SqsjkrError
from ..signals import STRAY, deadly, ignore
from .fleet import Fleet
from .settings import AGAIN_IN, FAILED, REPLACED

if TYPE_CHECKING:
    from .member import Member

#: Seconds within which a Ctrl-C reaches the worker twice: from the terminal, and by the master.
SAME_PRESS = 1.0


class KickerWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gevent worker, with a kicker in it.

    fleet, number, share, made_at: set by the master before the fork; see settings.py.
    """

    fleet: Fleet
    number: int
    share: tuple[int, int]
    made_at: float
    member: "Member | None" = None
    _stopped_at: float | None = None

    def init_signals(self) -> None:
        """gunicorn's, a hangup of the terminal drains, and what asks for nothing does nothing."""
        super().init_signals()
        signal.signal(signal.SIGHUP, self.handle_exit)
        ignore(deadly(STRAY))

    def init_process(self) -> None:
        """gunicorn's, run() and all; whatever it raises is told, and has an exit code."""
        try:
            super().init_process()
        except Exception as error:
            if _is_foreseen(error):
                self.log.error("the kicker cannot be made: %s", error)
            else:
                self.log.exception("the kicker cannot be made")
            sys.exit(self._exit_code())

    def load_wsgi(self) -> None:
        """Make the kicker, and the app that shows the fleet."""
        from .member import Member  # noqa: PLC0415

        # The master waits for ever for a first sign of life, and only then for the next one.
        self.tmp.notify()
        self.member = Member(self.fleet, self.number, self.share)
        self.wsgi = self.member.app

    def run(self) -> None:
        """Run the kicker and serve the stats until it has drained, with a sign of life each second.

        Not gunicorn's own loop: that would wait for connections that a browser keeps open.
        """
        from ..web import serving  # noqa: PLC0415

        member = self.member
        if member is None or self._stopped_at is not None:
            return  # It was told to stop before it began.
        servers = [serving(listener, self.wsgi) for listener in self.sockets]
        for server in servers:
            server.max_accept = 1  # Whoever is busy leaves the next one to the others.
            server.start()
        member.start([listener.getsockname() for listener in self.sockets])
        while not member.join(1.0):
            self.notify()
        for server in servers:
            server.stop(timeout=1)
        if member.failure is not None:
            sys.exit(self._exit_code())

    def notify(self) -> None:
        """Tell the master that the hub turns; without a master, stop."""
        self.tmp.notify()
        if self.ppid != os.getppid():
            self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Drain. gunicorn repeats SIGTERM each second, so a second one means no more than one."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._stop_kicker()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT or SIGQUIT: drain; again: without waiting for running jobs."""
        since = self._stopped_at
        self.handle_exit(sig, frame)
        if since is not None and time.monotonic() - since > SAME_PRESS:
            self._stop_kicker()

    def handle_abort(self, sig: int, frame: Any) -> None:
        """The master has seen no sign of life: the hub stands still, so nothing can be drained."""
        os._exit(REPLACED)

    def _stop_kicker(self) -> None:
        if self.member is not None:
            self.member.kicker.stop()

    def _exit_code(self) -> int:
        if not self.fleet.was_up:
            # One of them ends the master, which cannot end twice: it would with a traceback.
            return FAILED if self.fleet.fails() else REPLACED
        until = time.monotonic() + AGAIN_IN
        while time.monotonic() < until and self._stopped_at is None:
            self.tmp.notify()
            time.sleep(0.5)
        return REPLACED


def _is_foreseen(error: Exception) -> bool:
    """Whether its text says what to do: no room, no descriptors, no memory, no thread."""
    return isinstance(error, (SqsjkrError, OSError, MemoryError, ImportError)) or (
        "can't start new thread" in str(error)
    )
