"""What tells the time."""

from collections.abc import Callable

#: A clock in seconds: of the epoch where it is a wall clock, of any start where it is monotonic.
Clock = Callable[[], float]
