"""Makes a failing scenario smaller for as long as it still fails in the same way."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from .fleet import Result, live
from .forks import each
from .scenario import Scenario

T = TypeVar("T")


def shrunk(scenario: Scenario, result: Result) -> tuple[Scenario, Result]:
    """A smaller scenario of the same seed that breaks one of the same promises, and its result."""
    kinds = {fault.kind for fault in result.faults}
    best = result

    def fails(smaller: Scenario) -> bool:
        nonlocal best
        [(_, found)] = each(live, [smaller], 1)
        if kinds.isdisjoint(fault.kind for fault in found.faults):
            return False
        best = found
        return True

    small = scenario
    for name in ("faults", "jobs", "faults"):

        def without(some: tuple[T, ...], name: str = name, base: Scenario = small) -> bool:
            return fails(replace(base, **{name: some}))

        small = replace(small, **{name: fewest(getattr(small, name), without)})
    return small, best


def fewest(items: tuple[T, ...], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """As few of the items as it still fails with: larger pieces are left out first."""
    size = len(items)
    while size:
        at = 0
        while at < len(items):
            fewer = items[:at] + items[at + size :]
            if fails(fewer):
                items = fewer
            else:
                at += size
        size //= 2
    return items
