"""Wait for a condition instead of a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(predicate: Callable[[], T], deadline: float = 10.0, every: float = 0.02) -> T:
    """Call predicate until its result is true. Returns the result.

    An AssertionError in predicate counts as false. Raises AssertionError with the last value or
    error after deadline seconds.
    """
    end = time.monotonic() + deadline
    while True:
        late = time.monotonic() >= end
        try:
            value = predicate()
            if value:
                return value
            last = f"last value: {value!r}"
        except AssertionError as not_yet:
            last = f"last error: {not_yet}"
        if late:
            raise AssertionError(f"not within {deadline:g} s; {last}")
        time.sleep(every)
