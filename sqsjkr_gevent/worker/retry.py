"""Which errored jobs are run again, and when."""

from ..backoff import doubled, jittered
from ..config import RetrySection
from ..job import Ending, Outcome


class RetryPolicy:
    """What `[retry]` says."""

    def __init__(self, section: RetrySection) -> None:
        self._section = section

    @property
    def is_on(self) -> bool:
        """Whether any errored job is run again."""
        return bool(self._section.exit_codes)

    def wants(self, ending: Ending) -> bool:
        """Whether a job with this ending is to be run again, if it has attempts left."""
        if ending.outcome is not Outcome.ERRORED or ending.over_life_time:
            return False
        codes = self._section.exit_codes
        return codes == "any" or ending.exit_status in codes

    def is_last(self, attempt: int) -> bool:
        """Whether the attempt of that number, counted from 1, is the last (or beyond)."""
        return attempt >= self._section.max_attempts

    def delay(self, attempt: int) -> float:
        """Seconds from the end of the attempt of that number to the next, with jitter."""
        section = self._section
        return jittered(doubled(section.backoff, section.max_backoff, attempt - 1))
