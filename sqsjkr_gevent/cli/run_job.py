"""`run-job`: runs one job at once, without a queue."""

import sys
from pathlib import Path

import click
import gevent
from gevent import monkey
from gevent.queue import Queue

from ..errors import CannotExecute, InvalidMessage, Stopping
from ..job import Ending, Outcome
from ..kicker import Once
from ..log import configure
from ..signals import STOP_SIGNALS, handled
from .failing import FAILED, INTERRUPTED, MISUSED, one_line
from .loading import load
from .settings import Settings, conf_option

# The unpatched one: it runs in a native thread, which has no hub.
_os_write = monkey.get_original("os", "write")

#: Seconds that a job waits for its lock before a line says so.
PATIENCE = 0.5


@click.command
@conf_option
@click.argument("file")
@click.pass_obj
def command(settings: Settings, /, file: str) -> int:
    """Run the job in FILE, a message's JSON, at once; - is standard input.

    The job gets the same environment, limits and lock as in a kicker, but as there is no message,
    it is not throttled or retried. Prints the job's output, and exits with its exit code.
    """
    config = load(settings)
    configure(str(settings.overrides.get("log__level") or "silent"), config.log.format)
    body = _read(file)
    printed: Queue[bytes | None] = Queue()
    try:
        once = Once(config, body, printed.put)
    except InvalidMessage as error:
        _print_note(f"{file}: {error}")
        return MISUSED
    with handled(STOP_SIGNALS, lambda number: once.stop()):
        patience = gevent.spawn_later(PATIENCE, _report_wait, once)
        printer = gevent.spawn(_print, printed, once)
        try:
            ending = once.run()
        except Stopping:
            return INTERRUPTED
        except CannotExecute as error:
            _print_note(f"job failed: {error}")
            return FAILED
        finally:
            patience.kill()
            printed.put(None)
            printer.join()
    return _exit_code(ending, once.job_run.ran or 0)


def _exit_code(ending: Ending, seconds: float) -> int:
    if ending.outcome is Outcome.SUCCEEDED:
        return 0
    _print_note(f"job {ending.outcome.value}: {ending.reason} after {seconds:.3f} s")
    if ending.cause in ("exit", "signal") and ending.exit_status:
        return ending.exit_status if ending.exit_status > 0 else 128 - ending.exit_status
    return INTERRUPTED if ending.cause == "stop" else FAILED


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except OSError as error:
        raise click.UsageError(f"{file}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{file}: expected UTF-8.") from None


def _report_wait(once: Once) -> None:
    while (wait := once.job_run.wait) is None:
        gevent.sleep(PATIENCE)
    lock_id, holder = once.job_run.job.lock_id, wait.holder() or "another job"
    _print_note(f"waiting for lock {lock_id!r}, held by {holder}")


def _print(printed: "Queue[bytes | None]", once: Once) -> None:
    """Write the output in a thread, since a slow reader must not block the hub."""
    threads, fd = gevent.get_hub().threadpool, sys.stdout.fileno()
    while (data := printed.get()) is not None:
        if not threads.apply(_write, (fd, data)):
            once.stop()  # The reader is gone.
            return


def _write(fd: int, data: bytes) -> bool:
    """Write all data. Returns False if the reader is gone."""
    try:
        while data:
            data = data[_os_write(fd, data) :]
    except OSError:
        return False
    return True


def _print_note(text: str) -> None:
    print(f"sqsjkr-gevent: {one_line(text)}", file=sys.stderr, flush=True)
