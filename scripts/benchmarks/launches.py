"""Figures of starting processes, without a queue."""

from collections.abc import Iterator

from processes import floor, launch

#: What a round yields: keys of figures, with their values.
Samples = Iterator[tuple[str, float]]

#: The command of most figures: a builtin, so that the floor and the kicker start the same program.
ECHO = "echo hi"

#: Jobs at a time where the floor is compared end to end.
SLOTS = 64


def launches(scale: float) -> Samples:
    """Start processes in the ways of the kicker, of floor.c and of gevent.subprocess."""
    jobs = round(1000 * scale)
    for parallel in (8, 64, 256):
        least, ours = floor(1, parallel, jobs, ECHO), launch("spawn", parallel, jobs, ECHO)
        yield f"launch {parallel}", least[0] / ours[0]
        if parallel == 64:
            yield "launch cpu", ours[1] / least[1]
            few = jobs // 5
            plain = launch("gevent", parallel, few, ECHO)
            yield "launch gevent", (least[0] / jobs) / (plain[0] / few)
            large = launch("spawn", parallel, jobs, ECHO, 300)
            yield "launch 300 MB", ours[0] / large[0]
    shell = launch("spawn-shell", 64, jobs, "uname")
    yield "no shell", shell[0] / launch("spawn", 64, jobs, "uname")[0]


def floor_rate(seconds: float) -> float:
    """Jobs per second of the two-thread floor, measured for about so many seconds."""
    few = 500
    jobs = round(few / floor(2, SLOTS, few, ECHO)[0] * seconds)
    return jobs / floor(2, SLOTS, jobs, ECHO)[0]
