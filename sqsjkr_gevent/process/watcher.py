"""A small process that outlives its kicker by a moment, to end the kicker's jobs.

Run by its path, `python -I -S watcher.py MARK SILENCE`, so it imports nothing of the package and
starts in milliseconds. Its stdin is a pipe that only the kicker writes to: each byte is a beat. At
the end of the pipe, or after SILENCE seconds without a beat, it kills every process whose
environment has SQSJKR_RUN_ID=MARK:..., whatever session or group that is in. A process has that
only once it executes its command, which may come a moment after its kicker's death: so after the
end of the pipe the watcher looks again, for some seconds, and the longer apart the later. No other
kicker runs the jobs before that: their leases have more than SILENCE left.
"""

import os
import select
import signal
import sys
import time

#: The variable that marks the processes of a run; its value is MARK:NUMBER.
VARIABLE = "SQSJKR_RUN_ID"

#: What a kicker writes that stops in order: what its jobs left running on purpose may live on.
FAREWELL = b"q"

#: Most seconds after the end of the pipe in which a process may still come to its mark.
_LATE_MOST = 5.0

#: Seconds between two looks for processes that were forked while others were killed.
_LOOK = 0.02


def marked(mark: str) -> "list[int]":
    """The processes that carry VARIABLE with the value `mark`, or `mark` and a colon and more."""
    start = f"{VARIABLE}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  (pathlib is slow to import and to run)
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
                environ = file.read()
        except OSError:
            continue  # It has ended, or it is another user's.
        variables = environ.split(b"\0")
        if any(v == start or v.startswith(start + b":") for v in variables):
            found.append(int(name))
    return found


def kill_marked(mark: str, within: float = float("inf")) -> "list[int]":
    """Kill them, and those that they fork meanwhile; answers which there were.

    within: seconds after which what not even SIGKILL has ended is left to itself.
    """
    killed: list[int] = []
    until = time.monotonic() + within
    while True:
        alive = [pid for pid in marked(mark) if not _is_zombie(pid)]
        if not alive or time.monotonic() > until:
            return killed
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
            killed.append(pid)
        time.sleep(_LOOK)


def _kill_late_ones(mark: str, within: float) -> None:
    until = time.monotonic() + within
    wait = _LOOK
    while True:
        kill_marked(mark)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(wait, left))
        wait *= 2


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


def main(mark: str, silence: float) -> None:
    """Watch until the pipe ends."""
    while True:
        readable, _, _ = select.select([0], [], [], silence)
        if not readable:
            kill_marked(mark)
            continue
        beats = os.read(0, 4096)
        if FAREWELL in beats:
            return
        if not beats:
            _kill_late_ones(mark, min(silence, _LATE_MOST))
            return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
