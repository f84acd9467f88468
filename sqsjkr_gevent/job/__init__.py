"""What a message asks for (a Job), and how a job can end (an Outcome). Pure: no clock, no I/O."""

from .job import Job
from .outcome import CAUSES, Ending, Outcome, Settle, cause_of, outcome_of

__all__ = ["CAUSES", "Ending", "Job", "Outcome", "Settle", "cause_of", "outcome_of"]
