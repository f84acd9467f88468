"""The environment variables of a job."""

import os
from collections import ChainMap
from collections.abc import Mapping

from ..job import Job
from ..process.watcher import VARIABLE


class Environment:
    """The variables that jobs inherit, and those that are added for each job.

    inherit: True for all variables of the kicker, False for none, or the names of some.
    """

    def __init__(self, inherit: bool | tuple[str, ...]) -> None:
        if isinstance(inherit, bool):
            self._inherited = dict(os.environ) if inherit else {}
        else:
            self._inherited = {name: os.environ[name] for name in inherit if name in os.environ}

    def of_job(self, job: Job, run_id: str, token: int | None = None) -> Mapping[str, str]:
        """For the job's command.

        run_id: marks all processes of this run. token: the fencing token of its lock.
        """
        own = {**job.env, **_about(job), VARIABLE: run_id}
        if token is not None:
            own["SQSJKR_LOCK_TOKEN"] = str(token)
        # Not one dict: a launcher prepares the inherited ones once for all jobs.
        return ChainMap(own, self._inherited)

    def of_trigger(self, job: Job, run_id: str) -> Mapping[str, str]:
        """For the life_time_trigger, which does not get the variables in the job's body."""
        return ChainMap({**_about(job), VARIABLE: run_id}, self._inherited)


def _about(job: Job) -> dict[str, str]:
    return {
        "SQSJKR_JOB_ID": job.id,
        "SQSJKR_EVENT_ID": job.event_id,
        "SQSJKR_SENT_TIMESTAMP": str(round(job.sent_at * 1000)),
        "SQSJKR_RECEIVE_COUNT": str(job.receive_count),
    }
