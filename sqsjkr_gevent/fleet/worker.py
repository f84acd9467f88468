"""The gunicorn worker that is a kicker.

gunicorn's unpatched master loads this module too, so the kicker's own modules are imported only in
the worker, after gevent has patched.
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

#: Seconds within which one Ctrl-C can reach the worker twice: from the terminal and the master.
SAME_PRESS = 1.0


class KickerWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gevent worker, with a kicker in it.

    fleet, number, share, made_at: set by the master before the fork, in settings.py.
    """

    fleet: Fleet
    number: int
    share: tuple[int, int]
    made_at: float
    member: "Member | None" = None
    _stopped_at: float | None = None

    def init_signals(self) -> None:
        """Also drain on SIGHUP, and ignore stray signals that would end the process."""
        super().init_signals()
        signal.signal(signal.SIGHUP, self.handle_exit)
        ignore(deadly(STRAY))

    def init_process(self) -> None:
        """Do gunicorn's part, including run(). Log what it raises, and exit with a code."""
        try:
            super().init_process()
        except Exception as error:
            if _is_foreseen(error):
                self.log.error("cannot make the kicker: %s", error)
            else:
                self.log.exception("cannot make the kicker")
            sys.exit(self._exit_code())

    def load_wsgi(self) -> None:
        """Make the kicker and the app that shows the fleet."""
        from .member import Member  # noqa: PLC0415

        # The master's timeout only starts with the first heartbeat.
        self.tmp.notify()
        self.member = Member(self.fleet, self.number, self.share)
        self.wsgi = self.member.app

    def run(self) -> None:
        """Run the kicker and serve the stats until it has drained, with a heartbeat every second.

        gunicorn's own loop would wait for connections that a browser keeps open.
        """
        from ..web import serving  # noqa: PLC0415

        member = self.member
        if member is None or self._stopped_at is not None:
            return  # It was stopped before it began.
        servers = [serving(listener, self.wsgi) for listener in self.sockets]
        for server in servers:
            server.max_accept = 1  # A busy process leaves further connections to the others.
            server.start()
        member.start([listener.getsockname() for listener in self.sockets])
        while not member.join(1.0):
            self.notify()
        for server in servers:
            server.stop(timeout=1)
        if member.failure is not None:
            sys.exit(self._exit_code())

    def notify(self) -> None:
        """Send the master a heartbeat; stop if there is no master."""
        self.tmp.notify()
        if self.ppid != os.getppid():
            self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Drain. gunicorn repeats SIGTERM every second, so further ones have no effect."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._stop_kicker()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """On SIGINT or SIGQUIT drain; on a second one stop without waiting for running jobs."""
        since = self._stopped_at
        self.handle_exit(sig, frame)
        if since is not None and time.monotonic() - since > SAME_PRESS:
            self._stop_kicker()

    def handle_abort(self, sig: int, frame: Any) -> None:
        """The master got no heartbeat: the hub hangs, so draining is impossible."""
        os._exit(REPLACED)

    def _stop_kicker(self) -> None:
        if self.member is not None:
            self.member.kicker.stop()

    def _exit_code(self) -> int:
        if not self.fleet.has_been_up:
            # Only one worker may end the master: a second FAILED would give a traceback.
            return FAILED if self.fleet.claim_failure_report() else REPLACED
        until = time.monotonic() + AGAIN_IN
        while time.monotonic() < until and self._stopped_at is None:
            self.tmp.notify()
            time.sleep(0.5)
        return REPLACED


def _is_foreseen(error: Exception) -> bool:
    """Whether its text is enough, without a traceback: no space, descriptors, memory or thread."""
    return isinstance(error, (SqsjkrError, OSError, MemoryError, ImportError)) or (
        "can't start new thread" in str(error)
    )
