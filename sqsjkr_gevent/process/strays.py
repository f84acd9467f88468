"""Processes that left their job's process group, found by the mark in their environment."""

import os
from collections.abc import Collection, Mapping

import gevent
from gevent.event import AsyncResult

from ..errors import HostExhausted
from .threads import Call, Threads
from .watcher import marked


class _Look(Call):
    """One look through /proc."""

    __slots__ = ("found", "marks")

    def __init__(self, marks: Collection[str]) -> None:
        super().__init__()
        self.marks = marks
        self.found: Mapping[str, list[int]] = {}

    def make(self) -> None:
        found: dict[str, list[int]] = {mark: [] for mark in self.marks}
        for pid, mark in marked():
            if mark in found:
                found[mark].append(pid)
        self.found = found


class Strays:
    """Looks for them in a thread; one look answers all who ask at that time."""

    def __init__(self) -> None:
        self._threads = Threads(1)
        self._asked: dict[str, AsyncResult[list[int] | None]] = {}
        self._looking = False

    def find(self, mark: str) -> list[int] | None:
        """The living processes that carry that mark, those of its group among them.

        None where it cannot be seen now, as where this process is out of descriptors.
        """
        asked = self._asked.get(mark)
        if asked is None:
            asked = self._asked[mark] = AsyncResult()
            if not self._looking:
                self._looking = True
                gevent.spawn(self._look)
        return asked.get()

    def signal(self, mark: str, number: int, *, but_group: int | None = None) -> bool:
        """Send them a signal, but to those of that process group.

        Answers whether there are any, or may be.
        """
        all_of_it = self.find(mark)
        if all_of_it is None:
            return True
        found = [pid for pid in all_of_it if but_group is None or _group(pid) != but_group]
        for pid in found:
            try:
                os.kill(pid, number)
            except OSError:
                continue  # It has ended, or it is root's by now.
        return bool(found)

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
            for mark, answer in asked.items():
                answer.set(look.found.get(mark))
        self._looking = False


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
