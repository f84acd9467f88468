"""Says from samples of a quantity whether it grows without end. Pure: numbers in, a verdict out."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

#: Pieces into which the second half of the samples is cut.
PIECES = 10

#: The time of a sample, in seconds, and its value.
Sample = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a quantity may grow: `slack` over any time, and `per_hour` more for each hour.

    The slack is for what comes and goes; it decides in a short run, per_hour in a long one.
    """

    slack: float
    per_hour: float


@dataclass(frozen=True, slots=True)
class Trend:
    """The growth of a quantity over the second half of its samples.

    least, most: of all samples of that half. per_hour: the slope. growth: the slope times the
    length of the half. allowed: the growth that the bound allows for that length.
    """

    least: float
    most: float
    per_hour: float
    growth: float
    allowed: float

    @property
    def is_flat(self) -> bool:
        """Whether it stays within its bound."""
        return self.growth <= self.allowed


def trend(samples: Sequence[Sample], bound: Bound) -> Trend:
    """The trend of the second half; the first half is the warm-up.

    Of each piece of that half only the lowest sample counts: what is in use comes and goes, and a
    leak is what never goes. The slope is the median of those between all pairs of them, which one
    odd piece cannot move. Raises ValueError if the samples do not fill two pieces.
    """
    times = [at for at, _ in samples]
    if not times:
        raise ValueError("no samples")
    middle, end = (min(times) + max(times)) / 2, max(times)
    late = [(at, value) for at, value in samples if at >= middle]
    floors: dict[int, Sample] = {}
    for at, value in late:
        piece = min(PIECES - 1, int((at - middle) / (end - middle) * PIECES)) if end > middle else 0
        floors[piece] = min(floors.get(piece, (at, value)), (at, value), key=lambda one: one[1])
    if len(floors) < 2:
        raise ValueError("too few samples for a trend")
    # By the middle of its piece, not by its own time: neighbours may be a moment apart.
    step = (end - middle) / PIECES
    slope = statistics.median(
        (floors[later][1] - floors[sooner][1]) / ((later - sooner) * step)
        for sooner, later in combinations(sorted(floors), 2)
    )
    hours = (end - middle) / 3600
    values = [value for _, value in late]
    return Trend(
        least=min(values),
        most=max(values),
        per_hour=slope * 3600,
        growth=slope * 3600 * hours,
        allowed=bound.slack + bound.per_hour * hours,
    )
