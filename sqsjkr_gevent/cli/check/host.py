"""`check`: this host, and durations of the config that depend on each other."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from ... import descriptors
from ...config import Config, HistorySection, KickerSection
from ...duration import format_duration
from ...errors import SqsjkrError
from ..stats_client import StatsClient
from .findings import Finding, fail, ok, warn

#: Seconds beyond kill_grace that a lease needs, for a job to be killed before it lapses.
SLACK = 5.0

#: Seconds within which the server at the stats address must answer.
ANSWER_WITHIN = 3.0


def times(config: Config) -> Iterator[Finding]:
    """Check durations that are valid alone, but not together."""
    kicker, wait = config.kicker, config.sqs.wait_time
    if kicker.shutdown_timeout < wait:
        yield warn(
            "kicker.shutdown_timeout",
            f"{format_duration(kicker.shutdown_timeout)} is less than sqs.wait_time: a stopping "
            f"kicker cannot wait for its polls; set {format_duration(wait)} or more",
        )
    leases = [("sqs.visibility_timeout", config.sqs.visibility_timeout)]
    if config.locker.backend != "none":
        leases.append(("locker.lease", config.locker.lease))
    for name, seconds in leases:
        minimum = kicker.kill_grace + SLACK
        if seconds < minimum:
            yield warn(
                name,
                f"{format_duration(seconds)} leaves a job less than kill_grace when a lease is "
                f"lost; set {format_duration(minimum)} or more",
            )


def open_files(config: Config, limit: int | None) -> Iterator[Finding]:
    """Check whether a limit of descriptors, that of this process, is enough for all jobs."""
    jobs = config.kicker.max_concurrent_num
    needed = descriptors.needed(jobs, config.sqs.receivers)
    if limit is not None and limit < needed:
        yield warn(
            "open files",
            f"a limit of {limit} descriptors is too low for kicker.max_concurrent_num = {jobs}: "
            f"set {needed} or more, with `ulimit -n` or LimitNOFILE=",
        )


def stats_address(section: KickerSection) -> Iterator[Finding]:
    """Check whether the kicker can listen on its stats address."""
    address = section.stats_address
    try:
        is_taken = _is_taken(section)
    except OSError as error:
        reason = error.strerror or error
        yield fail("stats", f"cannot listen on {address}: {reason}; set another address")
        return
    if not is_taken:
        yield ok("stats", f"{address} is free")
    elif _is_kicker(section):
        yield warn("stats", f"a kicker is running on {address}: a second one needs another address")
    else:
        yield fail("stats", f"{address} is in use: set kicker.stats_port or kicker.stats_socket")


def access(section: KickerSection) -> Iterator[Finding]:
    """Check whether reading the stats from other hosts needs a token."""
    if section.is_open:
        yield warn(
            "stats access",
            f"anyone who can reach {section.stats_host} can read commands and outputs: set "
            f"kicker.stats_token",
        )


def history(section: HistorySection) -> Iterator[Finding]:
    """Check whether the history file can be written."""
    if section.path is None:
        return
    path = Path(section.path)
    place = path if path.exists() else path.absolute().parent
    if not place.exists():
        yield fail("history", f"{place} does not exist: create it, or set another history.path")
    elif not os.access(place, os.W_OK) or path.is_dir():
        yield fail("history", f"{path} cannot be written: set another history.path")
    else:
        yield ok("history", f"{path} can be written")


def _is_taken(section: KickerSection) -> bool:
    if section.stats_socket is not None:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(section.stats_socket) == 0
    family, kind, _, _, address = socket.getaddrinfo(
        section.stats_host, section.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            with socket.socket(family, kind) as other:
                other.settimeout(ANSWER_WITHIN)
                if other.connect_ex(address) != 0:
                    raise
            return True
    return False


def _is_kicker(section: KickerSection) -> bool:
    """Whether the listening server answers like a kicker."""
    try:
        return "idle_worker" in StatsClient(section, within=ANSWER_WITHIN).get("/stats/metrics")
    except SqsjkrError:
        return False
