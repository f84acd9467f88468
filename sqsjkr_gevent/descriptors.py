"""How many descriptors a kicker needs, and how many of them its web server may use."""

import resource

#: Limits for the connections of the web server; a browser opens six.
MAX_CONNECTIONS = 256
MIN_CONNECTIONS = 8

#: One in this many descriptors is for the web server; the rest are for jobs and the kicker.
_SHARE = 8

#: For the kicker itself: the hub, the log, the history, the watcher, and processes being started.
_OWN = 32
#: Connections to SQS besides the receives.
_CALLS = 10
#: Calls to a store over a network at a time: one for each job, within these limits.
_MIN_STORE = 16
_MAX_STORE = 100


def limit() -> int | None:
    """How many descriptors this process may have open; None: no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def connections(max_open: int | None) -> int:
    """How many connections the web server may have under that limit."""
    if max_open is None:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, max_open // _SHARE))


def store_connections(jobs: int) -> int:
    """How many calls at a time a store over a network gets, for this many concurrent jobs."""
    return max(_MIN_STORE, min(_MAX_STORE, jobs))


def needed(jobs: int, receivers: int) -> int:
    """The smallest sufficient limit for this many concurrent jobs, each with its output open."""
    calls = receivers + _CALLS + store_connections(jobs)
    kicker = jobs + calls + _OWN
    return kicker + max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, kicker // (_SHARE - 1) + 1))
