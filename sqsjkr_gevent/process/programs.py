"""Finds the programs of commands that need no shell, without ever keeping the hub.

To look a program up touches the disk, or a mount whose server has gone. So a thread looks, nobody
waits for it longer than a moment, and what it found is used for a second: under load most jobs find
their program looked up. Whoever gets no answer takes the shell.
"""

import math
import os
import time
from collections.abc import Mapping

from gevent.event import Event

from ..clock import Clock
from ..errors import HostExhausted
from ..threads import Call, Threads
from .direct import is_passed_on, program_of, same_directory, with_directory, words_of

#: Seconds for which an answer is used: so long a program that comes earlier in PATH is not seen.
KNOWN_FOR = 1.0

#: Seconds that a job waits for an answer.
PATIENCE = 0.05

#: Answers that are remembered.
MAX_KNOWN = 1000


class _Lookup(Call):
    """path: None where a shell is needed. keeps: whether the PWD that is told is the directory."""

    __slots__ = ("at", "here", "keeps", "over", "path", "search", "told", "word")

    def __init__(self, word: str, search: str, told: str, here: str) -> None:
        super().__init__()
        self.word = word
        self.search = search
        self.told = told
        self.here = here
        self.path: str | None = None
        self.keeps = False
        self.at = math.inf
        self.over = Event()

    def make(self) -> None:
        self.path = program_of(self.word, self.search)
        told = self.told
        self.keeps = told == self.here or (told.startswith("/") and same_directory(told, self.here))

    def done(self) -> None:
        super().done()
        self.over.set()


class Programs:
    """Remembers what was found. clock: monotonic, in seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._threads = Threads(1)
        self._known: dict[tuple[str, ...], _Lookup] = {}
        self._stuck: _Lookup | None = None

    def find(
        self, command: str, env: Mapping[str, str]
    ) -> tuple[str, list[str], Mapping[str, str]] | None:
        """The program's path, its argv and its environment; None where a shell is needed.

        env: the job's environment, whose PATH is searched.
        """
        words = words_of(command)
        if words is None or not is_passed_on(env):
            return None
        try:
            here = os.getcwd()  # noqa: PTH109  (on the way of every job)
        except OSError:
            return None  # It was removed: the shell has its own way with that.
        found = self._look(words[0], env.get("PATH", ""), env.get("PWD", ""), here)
        if found is None or found.path is None:
            return None
        return found.path, words, env if found.keeps else with_directory(env, here)

    def close(self) -> None:
        """Look no more."""
        self._threads.close()

    def _look(self, *asked: str) -> _Lookup | None:
        lookup = self._known.get(asked)
        if lookup is None or self._clock() - lookup.at >= KNOWN_FOR:
            if self._stuck is not None and not self._stuck.is_over:
                return None
            lookup = self._begin(asked)
            if lookup is None:
                return None
        if not lookup.is_over:
            if not lookup.over.wait(PATIENCE):
                self._stuck = lookup  # By a disk, or a host: until it comes back, all take a shell.
                return None
            lookup.at = min(lookup.at, self._clock())
        return None if lookup.raised is not None else lookup

    def _begin(self, asked: tuple[str, ...]) -> _Lookup | None:
        lookup = _Lookup(*asked)
        try:
            self._threads.submit(lookup)
        except HostExhausted:
            return None
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[asked] = lookup
        return lookup
