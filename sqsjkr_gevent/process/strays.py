"""Processes of a job, wherever they went: by the mark in their environment, or by their group."""

import os
from collections.abc import Iterator, Mapping

import gevent
from gevent.event import AsyncResult

from ..errors import HostExhausted
from ..threads import Call, Threads
from .watcher import mark_of

#: A run's mark, and the process group of its command, None where that number may be another's.
Wanted = tuple[str | None, int | None]


class _Look(Call):
    """One look through /proc."""

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
    """Looks for them in a thread; one look answers all who ask at that time."""

    def __init__(self) -> None:
        self._threads = Threads(1)
        self._asked: dict[Wanted, AsyncResult[list[int] | None]] = {}
        self._looking = False

    def find(self, mark: str | None, group: int | None) -> list[int] | None:
        """The living processes that carry that mark or are of that group; a zombie is not living.

        None where it cannot be seen now, as where this process is out of descriptors.
        """
        asked = self._asked.get((mark, group))
        if asked is None:
            asked = self._asked[mark, group] = AsyncResult()
            if not self._looking:
                self._looking = True
                gevent.spawn(self._look)
        return asked.get()

    def close(self) -> None:
        """Look no more."""
        self._threads.close()

    def _look(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            look = _Look(list(asked))
            try:
                self._threads.submit(look)
                look.wait()
            except HostExhausted:
                look.make_here()  # A kill must not wait for better times.
            for wanted, answer in asked.items():
                answer.set(look.found.get(wanted))
        self._looking = False


def _living() -> Iterator[tuple[int, int]]:
    """All processes but zombies, with their groups. Raises OSError where there is no descriptor."""
    for name in os.listdir("/proc"):  # noqa: PTH208  (thousands, each time)
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The name of the program, in parentheses, may hold anything. See proc_pid_stat(5).
                state, _, group = file.read().rpartition(b")")[2].split(maxsplit=3)[:3]
        except FileNotFoundError:
            continue
        except ProcessLookupError:
            continue
        if state not in (b"Z", b"X"):
            yield int(name), int(group)
