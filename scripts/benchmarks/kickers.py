"""Kickers, and other workers that are measured in the same way, while they run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from processes import DEADLINE, HERE, Aws, running, stats_connection, until

#: Seconds of full rate that pass before a measurement.
WARM_UP = 1.0


class Worker:
    """A running worker: a kicker, or another program that does the same.

    address: of its stats, a Unix socket. fleet: it only supervises kickers, which are its children.
    """

    def __init__(self, process: subprocess.Popen, address: Path, *, fleet: bool = False) -> None:
        self.process = process
        self.address = address
        self._fleet = fleet

    def cpu(self) -> float:
        """CPU seconds of it so far, without its jobs."""
        process = psutil.Process(self.process.pid)
        together = [process, *(process.children() if self._fleet else ())]
        return sum(sum(one.cpu_times()[:2]) for one in together)

    def memory(self) -> int:
        """Bytes of memory that it has."""
        return psutil.Process(self.process.pid).memory_info().rss

    def pipes(self) -> int:
        """The number of pipe ends that it has open."""
        count = 0
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                count += str(entry.readlink()).startswith("pipe:")
            except FileNotFoundError:
                continue  # Closed in the meantime.
        return count

    def busy(self) -> int:
        """How many of its slots have a running job."""
        with stats_connection(self.address) as connection:
            connection.request("GET", "/stats/metrics/v2")
            return json.loads(connection.getresponse().read())["workers"]["busy"]

    def runs_all(self, jobs: int) -> bool:
        """Whether so many jobs run, and the start of each is complete."""
        # While a job starts, both ends of its pipe are open; a few pipes are the kicker's own.
        return self.busy() == jobs and jobs <= self.pipes() <= jobs + 10

    def stop_now(self) -> None:
        """Stop it: the second signal skips the wait for running jobs."""
        self.process.terminate()
        time.sleep(0.2)  # Two at once would be one.
        self.process.terminate()

    def told(self) -> dict:
        """What kick.py prints at its end; stop it first."""
        said, _ = self.process.communicate(timeout=DEADLINE)
        return json.loads(said)


@contextmanager
def kicker(  # noqa: PLR0913  (each is one setting of it)
    aws: Aws,
    folder: Path,
    queue: str,
    *,
    slots: int,
    stores: bool = False,
    level: str = "info",
    processes: int = 1,
    max_waiting: int = 1000,
    measures: str | None = None,
) -> Iterator[Worker]:
    """Run a kicker for the `with` block, its log in a file.

    stores: whether it locks and throttles in DynamoDB. measures: when kick.py measures its hub;
    None for the command as it is.
    """
    address, conf = folder / f"{queue}.sock", folder / f"{queue}.toml"
    settings = {"slots": slots, "stores": stores, "max_waiting": max_waiting}
    conf.write_text(config(queue, address, **settings))
    program = ["-m", "sqsjkr_gevent", "-c", str(conf), "--log-level", level]
    if processes > 1:
        program += ["--processes", str(processes)]
    if measures:
        program = [str(HERE / "kick.py"), str(conf), measures]
    with running(
        [sys.executable, *program],
        env=aws.environment,
        output=measures is not None,
        errors=folder / f"{queue}.log",
    ) as process:
        until(lambda: address.exists() or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError((folder / f"{queue}.log").read_text()[-2000:])
        yield Worker(process, address, fleet=processes > 1)


def config(queue: str, address: Path, *, slots: int, stores: bool, max_waiting: int = 1000) -> str:
    """A config file of a kicker."""
    backend = "dynamodb" if stores else "none"
    return f"""
[account]
id = "123456789012"
region = "us-east-1"
[sqs]
queue_name = "{queue}"
receivers = 16
[kicker]
max_concurrent_num = {slots}
max_waiting = {max_waiting}
stats_socket = "{address}"
shutdown_timeout = 0
kill_grace = 1
[locker]
backend = "{backend}"
[throttler]
backend = "{backend}"
"""


@contextmanager
def sqsjkr(aws: Aws, folder: Path, queue: str, *, slots: int) -> Iterator[Worker]:
    """Run the original for the `with` block: the binary that the variable SQSJKR names."""
    address, conf = folder / f"{queue}.sock", folder / f"{queue}.toml"
    conf.write_text(
        f'[account]\nid = "123456789012"\nregion = "us-east-1"\n[sqs]\nqueue_name = "{queue}"\n'
        f'[kicker]\nmax_concurrent_num = {slots}\nstats_socket = "{address}"\n'
    )
    program = [os.environ["SQSJKR"], "-conf", str(conf)]
    with running(program, env=aws.environment, errors=folder / f"{queue}.log") as process:
        yield Worker(process, address)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a worker does at full rate.

    rate: jobs per second. cpu, server_cpu: CPU seconds per 1,000 jobs, of the worker and of the
    server. sqs, dynamodb: calls per 1,000 jobs.
    """

    rate: float
    cpu: float
    server_cpu: float
    sqs: float
    dynamodb: float


#: The calls of DynamoDB among those that the server counts; all others are of SQS.
_DYNAMODB = frozenset({"UpdateItem", "GetItem", "DeleteItem", "BatchExecuteStatement"})


def full_rate(aws: Aws, cpu: Callable[[], float], seconds: float) -> Rate:
    """Measure for so many seconds, once jobs have ended for a while.

    Raises RuntimeError if the queues run empty meanwhile: then it was not full rate.
    """
    until(lambda: aws.tell()["deleted"])
    time.sleep(WARM_UP)
    first, used = aws.tell(), cpu()
    time.sleep(seconds)
    last, used_later = aws.tell(), cpu()
    if not any(last["waiting"].values()):
        raise RuntimeError("a benchmark's queue ran empty")
    jobs = last["deleted"] - first["deleted"]
    if not jobs:
        raise RuntimeError("no job ended in a benchmark")

    def calls(of_dynamodb: bool) -> float:
        names = [name for name in last["calls"] if (name in _DYNAMODB) == of_dynamodb]
        return sum(last["calls"][name] - first["calls"].get(name, 0) for name in names)

    return Rate(
        rate=jobs / (last["now"] - first["now"]),
        cpu=(used_later - used) * 1000 / jobs,
        server_cpu=(last["cpu"] - first["cpu"]) * 1000 / jobs,
        sqs=calls(False) * 1000 / jobs,
        dynamodb=calls(True) * 1000 / jobs,
    )
