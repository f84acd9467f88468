"""A small process that briefly outlives its kicker, to end the kicker's jobs.

It is run by its path, `python -I -S watcher.py MARK SILENCE RUNS [DIRECTORY]`, so it imports
nothing of the package and starts in milliseconds. Its stdin is a pipe that only the kicker writes
to: each byte is a heartbeat. At the end of the pipe, or after SILENCE seconds without a heartbeat,
it kills every process whose environment has SQSJKR_RUN_ID=MARK:NUMBER, in any session or group, if
RUNS has the run of that number. Processes that a finished job deliberately left running continue.

A process gets its mark only when it executes its command, which may be just after the kicker's
death. So after the end of the pipe the watcher repeats the search for some seconds, at growing
intervals. No other kicker runs the jobs before that: their leases have more than SILENCE left.

RUNS is the descriptor of the kicker's file of live runs; see runs.py. DIRECTORY has the files of
all kickers of this user and host. If the lock on a file is free, its kicker and its watcher died
together: the first watcher that finds it ends the jobs.
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

#: Written by a kicker that shuts down cleanly, so no process is about to get its mark.
FAREWELL = b"q"

#: Bytes of one number in a file of runs; 0 means no run.
NUMBER = 8

#: Seconds after the end of the pipe in which a process may still get its mark, at most.
_MAX_LATE = 5.0

#: Seconds between two searches for processes that were forked while others were killed.
_SEARCH_EVERY = 0.02

#: Seconds to wait for processes to vanish after SIGKILL, before they are left to the kernel.
_VANISH = 2.0

#: Seconds between two searches for kickers that died together with their watchers.
_SEARCH_OTHERS_EVERY = 2.0


def mark_of(pid: int) -> "str | None":
    """The value of VARIABLE in a process's environment, None if it has none, as a zombie.

    Raises OSError if this process is out of descriptors.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            environ = b"\0" + file.read()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        return None  # It has ended, or belongs to another user.
    name = f"\0{VARIABLE}=".encode()
    begin = environ.find(name) + len(name)
    if begin < len(name):
        return None
    end = environ.find(b"\0", begin)
    return environ[begin : end if end >= 0 else len(environ)].decode("utf-8", "replace")


def marked() -> "list[tuple[int, str]]":
    """All processes that have VARIABLE, with its value. Raises OSError as mark_of does."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    return [(pid, mark) for pid in pids if (mark := mark_of(pid)) is not None]


def live(runs: int) -> "set[int]":
    """The numbers in a file of runs."""
    data = os.pread(runs, os.fstat(runs).st_size, 0)
    count = len(data) // NUMBER
    return {number for number in struct.unpack(f"={count}Q", data[: count * NUMBER]) if number}


def kill_live(mark: str, runs: int) -> None:
    """Kill the processes of a kicker's live runs, including those that they fork meanwhile."""
    until = time.monotonic() + _VANISH
    while True:
        wanted = {f"{mark}:{number}" for number in live(runs)}
        try:
            alive = [pid for pid, value in marked() if value in wanted]
        except OSError:
            alive = [0]  # Out of descriptors: try again.
        if not alive or time.monotonic() > until:
            return
        for pid in filter(None, alive):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(_SEARCH_EVERY)


def _kill_late_ones(mark: str, runs: int, within: float) -> None:
    until = time.monotonic() + within
    wait = _SEARCH_EVERY
    while True:
        kill_live(mark, runs)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(wait, left))
        wait *= 2


def _end_orphans(directory: str, mark: str) -> None:
    """End the jobs of kickers that died together with their watchers."""
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except OSError:
        return
    for name in names:
        if name == mark or name.startswith("."):
            continue  # This kicker's own file, or one that is being created.
        path = f"{directory}/{name}"
        try:
            runs = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            # The kicker, and the watcher that inherits the descriptor, hold a shared lock.
            fcntl.flock(runs, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kill_live(name, runs)
            os.unlink(path)  # noqa: PTH108
        except OSError:
            pass  # Its kicker or its watcher is alive.
        finally:
            os.close(runs)


def next_look(silence: float, since_beat: float) -> float:
    """Seconds until the next look, unless a heartbeat comes. since_beat: since the last heartbeat.

    A look falls on the very moment at which the silence is too long: leases have little time left.
    """
    left = silence - since_beat
    return min(_SEARCH_OTHERS_EVERY, left if left > 0 else silence)


def main(mark: str, silence: float, runs: int, directory: "str | None") -> None:
    """Watch until the pipe ends."""
    # A signal to the whole systemd unit or process group must not end the watcher first.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    beat_at = searched_at = time.monotonic()
    if directory is not None:
        _end_orphans(directory, mark)
    while True:
        wait = next_look(silence, time.monotonic() - beat_at)
        readable, _, _ = select.select([0], [], [], wait)
        now = time.monotonic()
        if readable:
            beats = os.read(0, 4096)
            if FAREWELL in beats:
                kill_live(mark, runs)  # There are none, unless the kicker ends by a bug.
                return
            if not beats:
                _kill_late_ones(mark, runs, min(silence, _MAX_LATE))
                if directory is not None:
                    _remove(directory, mark)
                return
            beat_at = now
        elif now - beat_at >= silence:
            kill_live(mark, runs)
        if directory is not None and now - searched_at >= _SEARCH_OTHERS_EVERY:
            searched_at = now
            _end_orphans(directory, mark)


def _remove(directory: str, mark: str) -> None:
    try:
        os.unlink(f"{directory}/{mark}")  # noqa: PTH108
        os.rmdir(directory)  # noqa: PTH106
    except OSError:
        pass  # Other kickers have files there.


if __name__ == "__main__":
    main(
        sys.argv[1],
        float(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4] if len(sys.argv) > 4 else None,
    )
