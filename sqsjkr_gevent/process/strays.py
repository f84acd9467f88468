"""Finds all processes of a job, by the mark in their environment or by their process group."""

import os
from collections.abc import Iterator, Mapping

import gevent
from gevent.event import AsyncResult

from ..errors import HostExhausted
from ..threads import Call, Threads
from .watcher import mark_of

#: Processes that are dealt with before other greenlets get their turn. A kicker may stop thousands.
AT_ONCE = 100

#: A run's mark and its process group; the group is None if the number may be another group's.
Wanted = tuple[str | None, int | None]


class _Scan(Call):
    """One scan of /proc."""

    __slots__ = ("found", "wanted")

    def __init__(self, wanted: list[Wanted]) -> None:
        super().__init__()
        self.wanted = wanted
        self.found: Mapping[Wanted, list[int]] = {}

    def make(self) -> None:
        found: dict[Wanted, list[int]] = {one: [] for one in self.wanted}
        by_mark: dict[str | None, Wanted] = {one[0]: one for one in self.wanted if one[0]}
        by_group = {one[1]: one for one in self.wanted if one[1] is not None}
        for pid, group in _living():
            one = by_group.get(group) or by_mark.get(mark_of(pid))
            if one is not None:
                found[one].append(pid)
        self.found = found


class Strays:
    """Scans /proc in a thread; callers at the same time share one scan."""

    def __init__(self) -> None:
        self._threads = Threads(1)
        self._asked: dict[Wanted, AsyncResult[list[int] | None]] = {}
        self._scanning = False

    def find(self, mark: str | None, group: int | None) -> list[int] | None:
        """The processes with that mark or in that group, without zombies.

        None if /proc cannot be read now, for example because this process is out of descriptors.
        """
        asked = self._asked.get((mark, group))
        if asked is None:
            asked = self._asked[mark, group] = AsyncResult()
            if not self._scanning:
                self._scanning = True
                gevent.spawn(self._scan)
        return asked.get()

    def close(self) -> None:
        """Stop the thread."""
        self._threads.close()

    def _scan(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            scan = _Scan(list(asked))
            try:
                self._threads.submit(scan)
                scan.wait()
            except HostExhausted:
                scan.make_here()  # A kill must not wait for a thread.
            for number, (wanted, result) in enumerate(asked.items(), 1):
                result.set(scan.found.get(wanted))
                if number % AT_ONCE == 0:
                    gevent.sleep(0)
        self._scanning = False


def _living() -> Iterator[tuple[int, int]]:
    """All processes except zombies, with their groups. Raises OSError if out of descriptors."""
    for name in os.listdir("/proc"):  # noqa: PTH208  (thousands, each time)
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The program's name, in parentheses, can contain anything. See proc_pid_stat(5).
                state, _, group = file.read().rpartition(b")")[2].split(maxsplit=3)[:3]
        except FileNotFoundError:
            continue
        except ProcessLookupError:
            continue
        if state not in (b"Z", b"X"):
            yield int(name), int(group)
