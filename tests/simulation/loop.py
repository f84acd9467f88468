"""A loop for gevent's hub whose time is virtual, and whose order comes from a seed.

Each callback and timer belongs to an actor: the one whose turn it was when it was made. An actor is
a process, or the world around all of them. One that is stopped gets no turn, and one that is dead
never gets another: that is what SIGSTOP and SIGKILL look like from inside a process.
"""

import heapq
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

#: Seconds by which a timer may be late.
_LATE = 0.002


class Actor:
    """One that takes turns. name: for the log. host, pid: as it sees them.

    wall, uptime: what its clocks are ahead of the simulation's, in seconds.
    """

    def __init__(
        self, name: str, *, host: str = "", pid: int = 0, wall: float = 0.0, uptime: float = 0.0
    ) -> None:
        self.name = name
        self.host = host
        self.pid = pid
        self.wall = wall
        self.uptime = uptime
        self.stopped = False
        self.dead = False
        self.ready: deque[Callback] = deque()
        #: Timers that ran out while it was stopped.
        self.overdue: list[Timer] = []
        #: After so many more turns, this is called: a fault between two switches.
        self.fuse = 0
        self.on_fuse: Callable[[], None] | None = None
        #: The processes of its host.
        self.kernel: Any = None


class Callback:
    """As gevent's: true until it has run or is stopped."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., Any] | None = callback
        self.args: tuple[Any, ...] | None = args

    def stop(self) -> None:
        """Do not run it."""
        self.callback = self.args = None

    close = stop

    def __bool__(self) -> bool:
        return self.args is not None

    @property
    def pending(self) -> bool:
        """Whether it has not begun."""
        return self.callback is not None


class Timer:
    """As gevent's, without repetition."""

    __slots__ = ("_loop", "active", "actor", "after", "args", "callback", "late", "ref")

    def __init__(self, loop: "VirtualLoop", after: float, ref: bool) -> None:
        self._loop = loop
        self.after = max(0.0, after)
        self.actor = loop.current
        self.callback: Callable[..., Any] | None = None
        self.args: tuple[Any, ...] = ()
        self.active = False
        self.ref = ref

    def start(self, callback: Callable[..., Any], *args: Any, update: bool = False) -> None:
        """Run out after its seconds from now."""
        self.callback, self.args = callback, args
        self.actor = self._loop.current
        self.active = True
        self._loop.add(self)

    def stop(self) -> None:
        """Never run out."""
        self.active = False
        self.callback, self.args = None, ()

    close = stop

    @property
    def pending(self) -> bool:
        """gevent asks whether it has run out but was not called; it is called at once."""
        return False

    def __enter__(self) -> "Timer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VirtualLoop:
    """gevent's loop interface, as far as anything here uses it.

    chance: decides all that may happen in more than one order. now_at: the time it begins with.
    shuffles: whether the callbacks of one actor run in any order, instead of that of their making.
    """

    default = True
    approx_timer_resolution = 0.001

    def __init__(self, chance: Random, *, shuffles: bool = False) -> None:
        self.world = Actor("world")
        self.current = self.world
        self.time = 0.0
        self.turns = 0
        self.error_handler: Any = None
        self._chance = chance
        self._shuffles = shuffles
        self._timers: list[tuple[float, int, Timer]] = []
        self._number = 0
        # In order of their getting ready (a dict as an ordered set).
        self._ready: dict[Actor, None] = {}
        #: What the dead leave behind: greenlets that were freed would run their finally blocks.
        self._graveyard: list[Any] = []

    # What gevent calls.

    def run(self) -> None:
        """Take turns until nobody has anything to do."""
        while self._ready or self._timers:
            if self._ready:
                self._take_turn()
            else:
                self._advance()

    def run_callback(self, callback: Callable[..., Any], *args: Any) -> Callback:
        """In a later turn of the current actor."""
        return self.post(self.current, callback, *args)

    run_callback_threadsafe = run_callback

    def timer(
        self, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None
    ) -> Timer:
        """A timer of the current actor."""
        assert not repeat
        return Timer(self, after, ref)

    def now(self) -> float:
        """The virtual time."""
        return self.time

    def update_now(self) -> None:
        """It is always up to date."""

    update = update_now

    def handle_error(self, context: Any, kind: Any, value: Any, trace: Any) -> None:
        """Hand it to the hub."""
        self.error_handler.handle_error(context, kind, value, trace)

    def debug(self) -> list[str]:
        """For the text of LoopExit."""
        return []

    _format = debug

    # What the simulation calls.

    def post(self, actor: Actor, callback: Callable[..., Any], *args: Any) -> Callback:
        """In a later turn of that actor."""
        made = Callback(callback, args)
        if actor.dead:
            self._graveyard.append(made)
            return made
        actor.ready.append(made)
        if not actor.stopped:
            self._ready[actor] = None
        return made

    def at(self, seconds: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """In a turn of the world, so many seconds from now."""
        with self.turn_of(self.world):
            timer = self.timer(seconds)
            timer.start(callback, *args)
        return timer

    @contextmanager
    def turn_of(self, actor: Actor) -> Iterator[None]:
        """What the block makes belongs to that actor."""
        before, self.current = self.current, actor
        try:
            yield
        finally:
            self.current = before

    def stop_actor(self, actor: Actor) -> None:
        """It gets no turn any more, for now."""
        actor.stopped = True
        self._ready.pop(actor, None)

    def resume(self, actor: Actor) -> None:
        """It gets turns again; what ran out meanwhile runs out now, in any order."""
        if not actor.stopped or actor.dead:
            return
        actor.stopped = False
        if actor.ready:
            self._ready[actor] = None
        overdue, actor.overdue = actor.overdue, []
        self._chance.shuffle(overdue)
        for timer in overdue:
            if timer.active:
                self._push(timer, self.time)

    def kill(self, actor: Actor) -> None:
        """It never gets a turn again."""
        actor.dead = True
        self._ready.pop(actor, None)
        self._graveyard += [list(actor.ready), actor.overdue]

    def add(self, timer: Timer) -> None:
        """Have it run out in its time."""
        late = self._chance.random() * _LATE
        self._push(timer, self.time + timer.after + late)

    def _push(self, timer: Timer, due: float) -> None:
        self._number += 1
        heapq.heappush(self._timers, (due, self._number, timer))

    def _take_turn(self) -> None:
        ready = self._ready
        if len(ready) == 1:
            [actor] = ready
        else:
            actor = list(ready)[int(self._chance.random() * len(ready))]
        queue = actor.ready
        if self._shuffles and len(queue) > 1:
            queue.rotate(-int(self._chance.random() * len(queue)))
        made = queue.popleft()
        if not queue:
            del ready[actor]
        callback, args = made.callback, made.args
        made.callback = None
        if callback is not None and args is not None:
            self._call(actor, callback, args)
        made.args = None

    def _advance(self) -> None:
        due, _, timer = heapq.heappop(self._timers)
        if not timer.active:
            return
        actor = timer.actor
        if actor.dead:
            self._graveyard.append(timer)
        elif actor.stopped:
            actor.overdue.append(timer)
        else:
            self.time = max(self.time, due)
            callback, args = timer.callback, timer.args
            timer.active = False
            assert callback is not None
            self._call(actor, callback, args)

    def _call(self, actor: Actor, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.turns += 1
        self.current = actor
        try:
            callback(*args)
        except BaseException:  # noqa: BLE001  (as gevent's own loops do)
            self.handle_error(callback, *sys.exc_info())
        finally:
            self.current = self.world
        if actor.on_fuse is not None:
            actor.fuse -= 1
            if actor.fuse <= 0:
                on_fuse, actor.on_fuse = actor.on_fuse, None
                on_fuse()
