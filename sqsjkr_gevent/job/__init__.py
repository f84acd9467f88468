"""A Job, as a message requests it, and the Outcomes it can have. Pure: no clock, no I/O."""

from .job import Job
from .outcome import CAUSES, Ending, Outcome, Settle, cause_of, outcome_of

__all__ = ["CAUSES", "Ending", "Job", "Outcome", "Settle", "cause_of", "outcome_of"]
