"""How many descriptors a process may have open, and what they are there for: jobs, above all."""

import resource

#: Of the web face, at most, and at least: a browser takes six.
MAX_CONNECTIONS = 256
MIN_CONNECTIONS = 8

#: One in so many is for the web face; the others are for jobs, and for what keeps them.
_SHARE = 8

#: Of a kicker itself: the hub, the log, the history, the watcher, and processes being started.
_OWN = 32
#: Calls to SQS beside the receives, and to DynamoDB, where a lock of each job is renewed.
_CALLS = 10
_MIN_STORE = 16
_MAX_STORE = 100


def limit() -> int | None:
    """How many descriptors this process may have open; None for as many as it likes."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def connections(most: int | None) -> int:
    """How many connections the web face may have under that limit."""
    if most is None:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, most // _SHARE))


def needed(jobs: int, receivers: int) -> int:
    """The least limit for so many jobs at a time: each has its output open."""
    calls = receivers + _CALLS + max(_MIN_STORE, min(_MAX_STORE, jobs))
    kicker = jobs + calls + _OWN
    return kicker + max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, kicker // (_SHARE - 1) + 1))
