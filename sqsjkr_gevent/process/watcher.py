"""A small process that outlives its kicker by a moment, to end the kicker's jobs.

Run by its path, `python -I -S watcher.py MARK SILENCE RUNS [DIRECTORY]`, so it imports nothing of
the package and starts in milliseconds. Its stdin is a pipe that only the kicker writes to: each
byte is a beat. At the end of the pipe, or after SILENCE seconds without a beat, it kills every
process whose environment has SQSJKR_RUN_ID=MARK:NUMBER, whatever session or group that is in, if
the run of that number is in RUNS: what a finished job left running on purpose lives on. A process
has its mark only once it executes its command, which may come a moment after its kicker's death: so
after the end of the pipe the watcher looks again, for some seconds, and the longer apart the later.
No other kicker runs the jobs before that: their leases have more than SILENCE left.

RUNS is the descriptor of the kicker's file of live runs; see runs.py. DIRECTORY has the files of
all kickers of this user and host. One whose lock is free belongs to a kicker that died together
with its own watcher: whichever watcher finds it ends its jobs.
"""

import errno
import fcntl
import os
import select
import signal
import struct
import sys
import time

#: The variable that marks the processes of a run; its value is MARK:NUMBER.
VARIABLE = "SQSJKR_RUN_ID"

#: What a kicker writes that ends by itself, so that no process is about to come to its mark.
FAREWELL = b"q"

#: Bytes of one number in a file of runs; 0 is no run.
NUMBER = 8

#: Most seconds after the end of the pipe in which a process may still come to its mark.
_MAX_LATE = 5.0

#: Seconds between two looks for processes that were forked while others were killed.
_LOOK = 0.02

#: Seconds in which what was sent SIGKILL must have ended; what has not is in the kernel's hands.
_VANISH = 2.0

#: Seconds between two looks for kickers that died together with their watchers.
_LOOK_AROUND = 2.0


def mark_of(pid: int) -> "str | None":
    """The value of VARIABLE of a process; a zombie has no environment any more.

    Raises OSError where there is no descriptor to look with.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            environ = b"\0" + file.read()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        return None  # It has ended, or it is another user's.
    name = f"\0{VARIABLE}=".encode()
    begin = environ.find(name) + len(name)
    if begin < len(name):
        return None
    end = environ.find(b"\0", begin)
    return environ[begin : end if end >= 0 else len(environ)].decode("utf-8", "replace")


def marked() -> "list[tuple[int, str]]":
    """All processes that carry VARIABLE, with its value. Raises OSError as mark_of does."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    return [(pid, mark) for pid in pids if (mark := mark_of(pid)) is not None]


def live(runs: int) -> "set[int]":
    """The numbers in a file of runs."""
    data = os.pread(runs, os.fstat(runs).st_size, 0)
    count = len(data) // NUMBER
    return {number for number in struct.unpack(f"={count}Q", data[: count * NUMBER]) if number}


def kill_live(mark: str, runs: int) -> None:
    """Kill the processes of a kicker's live runs, and those that they fork meanwhile."""
    until = time.monotonic() + _VANISH
    while True:
        wanted = {f"{mark}:{number}" for number in live(runs)}
        try:
            alive = [pid for pid, value in marked() if value in wanted]
        except OSError:
            alive = [0]  # The host is out of files: look again.
        if not alive or time.monotonic() > until:
            return
        for pid in filter(None, alive):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(_LOOK)


def _kill_late_ones(mark: str, runs: int, within: float) -> None:
    until = time.monotonic() + within
    wait = _LOOK
    while True:
        kill_live(mark, runs)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(wait, left))
        wait *= 2


def _look_around(directory: str, mark: str) -> None:
    """End the jobs of kickers that nobody watches any more."""
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except OSError:
        return
    for name in names:
        if name == mark or name.startswith("."):
            continue  # Our own, or one that is being made.
        path = f"{directory}/{name}"
        try:
            runs = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            # Whoever lives holds it shared: the kicker, and its watcher, which inherited it.
            fcntl.flock(runs, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kill_live(name, runs)
            os.unlink(path)  # noqa: PTH108
        except OSError:
            pass  # Its kicker or its watcher lives.
        finally:
            os.close(runs)


def main(mark: str, silence: float, runs: int, directory: "str | None") -> None:
    """Watch until the pipe ends."""
    # What stops a unit or a group as a whole must not end the watcher before the kicker.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    beat_at = looked_at = time.monotonic()
    if directory is not None:
        _look_around(directory, mark)
    while True:
        readable, _, _ = select.select([0], [], [], min(silence, _LOOK_AROUND))
        now = time.monotonic()
        if readable:
            beats = os.read(0, 4096)
            if FAREWELL in beats:
                kill_live(mark, runs)  # None, but where the kicker ends by a fault of its own.
                return
            if not beats:
                _kill_late_ones(mark, runs, min(silence, _MAX_LATE))
                if directory is not None:
                    _remove(directory, mark)
                return
            beat_at = now
        elif now - beat_at >= silence:
            kill_live(mark, runs)
        if directory is not None and now - looked_at >= _LOOK_AROUND:
            looked_at = now
            _look_around(directory, mark)


def _remove(directory: str, mark: str) -> None:
    try:
        os.unlink(f"{directory}/{mark}")  # noqa: PTH108
        os.rmdir(directory)  # noqa: PTH106
    except OSError:
        pass  # Others have files there.


if __name__ == "__main__":
    main(
        sys.argv[1],
        float(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4] if len(sys.argv) > 4 else None,
    )
