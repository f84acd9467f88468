"""Finds the programs of commands that need no shell, without blocking the hub.

A lookup reads the disk, or a mount whose server may be gone. So it runs in a thread, jobs wait for
it only briefly, and its result is used for a second: under load most jobs find it cached. A job
whose lookup takes too long uses the shell.
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

#: Seconds that a result is used. A new program earlier in PATH goes unnoticed for this long.
KNOWN_FOR = 1.0

#: Seconds that a job waits for a lookup.
PATIENCE = 0.05

#: Results that are kept.
MAX_KNOWN = 1000


class _Lookup(Call):
    """path: None if a shell is needed. keeps: whether `pwd`, the job's PWD, is the directory."""

    __slots__ = ("at", "here", "keeps", "over", "path", "pwd", "search", "word")

    def __init__(self, word: str, search: str, pwd: str, here: str) -> None:
        super().__init__()
        self.word = word
        self.search = search
        self.pwd = pwd
        self.here = here
        self.path: str | None = None
        self.keeps = False
        self.at = math.inf
        self.over = Event()

    def make(self) -> None:
        self.path = program_of(self.word, self.search)
        pwd = self.pwd
        self.keeps = pwd == self.here or (pwd.startswith("/") and same_directory(pwd, self.here))

    def done(self) -> None:
        super().done()
        self.over.set()


class Programs:
    """Looks programs up and caches the results. clock: monotonic, in seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._threads = Threads(1)
        self._known: dict[tuple[str, ...], _Lookup] = {}
        self._stuck: _Lookup | None = None

    def find(
        self, command: str, env: Mapping[str, str]
    ) -> tuple[str, list[str], Mapping[str, str]] | None:
        """The program's path, argv and environment; None if a shell is needed.

        env: the job's environment, whose PATH is searched.
        """
        words = words_of(command)
        if words is None or not is_passed_on(env):
            return None
        try:
            here = os.getcwd()  # noqa: PTH109  (every job passes here)
        except OSError:
            return None  # The directory was removed: leave it to the shell.
        found = self._lookup(words[0], env.get("PATH", ""), env.get("PWD", ""), here)
        if found is None or found.path is None:
            return None
        return found.path, words, env if found.keeps else with_directory(env, here)

    def close(self) -> None:
        """Stop the thread."""
        self._threads.close()

    def _lookup(self, *key: str) -> _Lookup | None:
        lookup = self._known.get(key)
        if lookup is None or self._clock() - lookup.at >= KNOWN_FOR:
            if self._stuck is not None and not self._stuck.is_over:
                return None
            lookup = self._begin(key)
            if lookup is None:
                return None
        if not lookup.is_over:
            if not lookup.over.wait(PATIENCE):
                self._stuck = lookup  # On a disk or host; until it ends, all commands use a shell.
                return None
            lookup.at = min(lookup.at, self._clock())
        return None if lookup.raised is not None else lookup

    def _begin(self, key: tuple[str, ...]) -> _Lookup | None:
        lookup = _Lookup(*key)
        try:
            self._threads.submit(lookup)
        except HostExhausted:
            return None
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = lookup
        return lookup
