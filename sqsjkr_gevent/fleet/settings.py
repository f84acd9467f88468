"""gunicorn's settings for a fleet, for a gunicorn.conf.py: `globals().update(settings())`.

Loaded by the unpatched master, so nothing here may import what gevent patches.
"""

import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.errors import HaltServer

from ..config import Config
from ..errors import ConfigError, StartError
from ..levels import LEVELS
from ..signals import STRAY, deadly, ignore
from ..unix_socket import remove_stale
from .fleet import Fleet

#: The file that says no more than the first line above, for those who have no other.
CONF_FILE = Path(__file__).with_name("gunicorn.conf.py")

#: Seconds beside those of the config that a worker has for a stop: its last deletes and returns.
STOP_SLACK = 30.0

#: Seconds that a worker may stand still before the master replaces it.
TIMEOUT = 30

FAILED = 1
MISUSED = 2

#: Exit code of a worker that the master replaces.
REPLACED = 70

#: Seconds before a worker that cannot start, or be made, is tried again, in a fleet that was up.
AGAIN_IN = 5.0


#: gunicorn executes its config file anew at each reload; this is what stays.
_fleets: list[Fleet] = []


def settings() -> dict[str, Any]:
    """gunicorn's settings; called again by each reload.

    A config that is wrong ends the master at its start (exit code 2), and so does a host without
    room (1); later a config is refused, and the fleet goes on with the one it has.
    """
    try:
        if _fleets:
            _fleets[0].reread()
        else:
            _fleets.append(Fleet.of_environment(os.environ))
    except ConfigError as error:
        if not _fleets:
            raise _ended(str(error), MISUSED) from None
        _log_error("config refused, the old one stays: %s", error)
    except StartError as error:
        raise _ended(str(error), FAILED) from None
    return _of(_fleets[0])


def _of(fleet: Fleet) -> dict[str, Any]:
    config, kicker = fleet.config, fleet.config.kicker
    return {
        "bind": _address(config),
        "workers": fleet.processes,
        "worker_class": "sqsjkr_gevent.fleet.worker.KickerWorker",
        # gunicorn asks for one; the worker makes its own.
        "wsgi_app": "sqsjkr_gevent.web:create_app",
        "timeout": TIMEOUT,
        "graceful_timeout": int(kicker.shutdown_timeout + kicker.kill_grace + STOP_SLACK),
        "proc_name": "sqsjkr-gevent",
        "umask": _umask(),
        "control_socket_disable": True,
        "logconfig_dict": _log(config),
        "on_starting": _on_starting,
        "pre_fork": _pre_fork,
        "child_exit": _child_exit,
    }


def _address(config: Config) -> str:
    kicker = config.kicker
    if kicker.stats_socket is not None:
        return f"unix:{Path(kicker.stats_socket).absolute()}"
    host = f"[{kicker.stats_host}]" if ":" in kicker.stats_host else kicker.stats_host
    return f"{host}:{kicker.port}"


def _umask() -> int:
    """Ours, which gunicorn would otherwise widen for a socket's file."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _log(config: Config) -> dict[str, Any]:
    level = LEVELS[config.log.level]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": "sqsjkr_gevent.fleet.master_log.Lines",
                "form": config.log.format,
            }
        },
        "handlers": {
            "lines": {"()": "sqsjkr_gevent.fleet.master_log.Handler", "formatter": "lines"}
        },
        "root": {"level": "WARNING", "handlers": ["lines"]},
        "loggers": {"gunicorn.error": {"level": level, "handlers": ["lines"], "propagate": False}},
    }


def _on_starting(server: Any) -> None:
    fleet = _fleets[0]
    try:
        fleet.has(server.num_workers)
    except ConfigError as error:
        raise _ended(str(error), MISUSED) from None
    # gunicorn handles some of them a moment later; the workers inherit the rest.
    ignore(deadly(STRAY))
    server.spawning = _Spawning(server, fleet)
    server.reexec = partial(_log_error, "SIGUSR2: start another master by hand instead")
    # A worker that cannot start ends the master with the exit code of a kicker that cannot.
    server.WORKER_BOOT_ERROR = FAILED
    path = fleet.config.kicker.stats_socket
    if path is not None:
        try:
            remove_stale(path)
        except OSError as error:
            text = f"cannot listen on the socket {path}: {error.strerror}; set kicker.stats_socket"
            raise _ended(text, FAILED) from None


class _Spawning:
    """How the master makes workers: as gunicorn does, but with patience.

    Without processes, descriptors or room gunicorn's master would end, and leave the workers that
    it has to themselves; and workers that die at once it would replace at once, for ever.
    """

    def __init__(self, server: Any, fleet: Fleet) -> None:
        self._server = server
        self._fleet = fleet
        self._one, self._missing = server.spawn_worker, server.spawn_workers
        server.spawn_worker, server.spawn_workers = self.one, self.missing
        self._not_before = 0.0

    def one(self) -> None:
        """Make a worker, if this host can."""
        try:
            self._one()
        except OSError as error:
            if os.getpid() != self._server.pid:
                os._exit(REPLACED)  # The child: it must not become another master.
            if not self._fleet.was_up:
                raise HaltServer(f"A process cannot be made: {error}", FAILED) from error
            _log_error("a process cannot be made, tried again in %g s: %s", AGAIN_IN, error)
            self.later()

    def missing(self) -> None:
        """Make those that are missing."""
        if time.monotonic() >= self._not_before:
            self._missing()

    def later(self) -> None:
        """Make no missing one for a while."""
        self._not_before = time.monotonic() + AGAIN_IN


def _log_error(text: str, *values: object) -> None:
    logging.getLogger("gunicorn.error").error(text, *values)


def _ended(text: str, code: int) -> SystemExit:
    print(f"sqsjkr-gevent: {text}", file=sys.stderr)
    return SystemExit(code)


def _pre_fork(server: Any, worker: Any) -> None:
    others = server.WORKERS.values()
    worker.fleet = _fleets[0]
    worker.made_at = time.monotonic()
    # Of all processes, those that drain as well: it names the files of its counters.
    worker.number = _lowest_free(other.number for other in others)
    # Of those with the same config: its share of the slots.
    same = [other for other in others if other.cfg is worker.cfg]
    worker.share = (_lowest_free(other.share[0] for other in same), server.num_workers)


def _lowest_free(taken: Any) -> int:
    numbers = set(taken)
    return next(number for number in range(len(numbers) + 1) if number not in numbers)


def _child_exit(server: Any, worker: Any) -> None:
    if time.monotonic() - worker.made_at < AGAIN_IN:
        server.spawning.later()
    try:
        (_fleets[0].sockets / str(worker.pid)).unlink(missing_ok=True)
    except OSError:
        pass  # Whoever asks there finds out that it has ended.
