"""gunicorn's settings for a fleet, for a gunicorn.conf.py: `globals().update(settings())`.

The unpatched master loads this, so it must not import modules that need gevent's patches.
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

#: A config file with just the line above, used if there is no other.
CONF_FILE = Path(__file__).with_name("gunicorn.conf.py")

#: Extra seconds that a worker has to stop, besides those of the config, for its last SQS calls.
STOP_SLACK = 30.0

#: Seconds that a worker may hang before the master replaces it.
TIMEOUT = 30

FAILED = 1
MISUSED = 2

#: Exit code of a worker that the master replaces.
REPLACED = 70

#: Seconds before a worker that cannot start is retried, in a fleet that has been up.
AGAIN_IN = 5.0


#: The fleet, kept over reloads, when gunicorn executes its config file again.
_fleets: list[Fleet] = []


def settings() -> dict[str, Any]:
    """gunicorn's settings. Called again at each reload.

    At the start, an invalid config ends the master with exit code 2, and a StartError with 1. At a
    reload, an invalid config is refused, and the fleet keeps the old one.
    """
    try:
        if _fleets:
            _fleets[0].reread()
        else:
            _fleets.append(Fleet.of_environment(os.environ))
    except ConfigError as error:
        if not _fleets:
            raise _ended(str(error), MISUSED) from None
        _log_error("config refused, keeping the old one: %s", error)
    except StartError as error:
        raise _ended(str(error), FAILED) from None
    return _of(_fleets[0])


def _of(fleet: Fleet) -> dict[str, Any]:
    config, kicker = fleet.config, fleet.config.kicker
    return {
        "bind": _address(config),
        "workers": fleet.processes,
        "worker_class": "sqsjkr_gevent.fleet.worker.KickerWorker",
        # gunicorn requires one, but the worker makes its own.
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
    """The current umask. gunicorn's default would give socket files wider permissions."""
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
        fleet.set_processes(server.num_workers)
    except ConfigError as error:
        raise _ended(str(error), MISUSED) from None
    # gunicorn sets its own handlers for some of them later; the workers inherit the rest.
    ignore(deadly(STRAY))
    server.spawning = _Spawning(server, fleet)
    server.reexec = partial(_log_error, "SIGUSR2: start another master by hand instead")
    # If a worker cannot start, the master exits with the same code as a single kicker.
    server.WORKER_BOOT_ERROR = FAILED
    path = fleet.config.kicker.stats_socket
    if path is not None:
        try:
            remove_stale(path)
        except OSError as error:
            text = f"cannot listen on the socket {path}: {error.strerror}; set kicker.stats_socket"
            raise _ended(text, FAILED) from None


class _Spawning:
    """Makes the master's workers as gunicorn does, but waits after a failure.

    If the host is out of processes, descriptors or memory, gunicorn's master would exit and orphan
    its workers. Workers that die immediately, it would replace immediately, endlessly.
    """

    def __init__(self, server: Any, fleet: Fleet) -> None:
        self._server = server
        self._fleet = fleet
        self._one, self._missing = server.spawn_worker, server.spawn_workers
        server.spawn_worker, server.spawn_workers = self.one, self.missing
        self._not_before = 0.0

    def one(self) -> None:
        """Make a worker, if the host can."""
        try:
            self._one()
        except OSError as error:
            if os.getpid() != self._server.pid:
                os._exit(REPLACED)  # This is the child: it must not become another master.
            if not self._fleet.has_been_up:
                raise HaltServer(f"Cannot make a process: {error}", FAILED) from error
            _log_error("cannot make a process, retrying in %g s: %s", AGAIN_IN, error)
            self.later()

    def missing(self) -> None:
        """Make the missing workers."""
        if time.monotonic() >= self._not_before:
            self._missing()

    def later(self) -> None:
        """Make no missing workers for a while."""
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
    # Unique among all processes, including draining ones: it names the files of its counters.
    worker.number = _lowest_free(other.number for other in others)
    # Its index among the processes with the same config, for its share of the slots.
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
        pass  # A process that connects there notices that this one has ended.
