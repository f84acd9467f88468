"""Runs a command many times, in the way the kicker runs a job.

python launch.py LAUNCHER PARALLEL JOBS COMMAND [MEGABYTES]

LAUNCHER: spawn or plain; spawn-shell always uses a shell; gevent uses gevent.subprocess as in its
documentation. MEGABYTES: how much memory the process holds while it runs. Prints
"SECONDS CPU_SECONDS", as floor.c does.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import ChainMap  # noqa: E402

import gevent  # noqa: E402
from gevent import subprocess  # noqa: E402

from sqsjkr_gevent.kicker.own_process import settle_in  # noqa: E402
from sqsjkr_gevent.process import Runner, make_launcher  # noqa: E402


def cpu() -> float:
    """Seconds of CPU used by this process and its children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def runner_of(launcher: str):
    """A function that runs one command and waits for its end."""
    if launcher == "gevent":
        return lambda command: subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    kind, _, shell = launcher.partition("-")
    runner = Runner(make_launcher(kind), output_limit=65536, kill_grace=10.0, direct=not shell)
    env = ChainMap({"SQSJKR_JOB_ID": "x"}, dict(os.environ))
    return lambda command: runner.start(command, env).wait()


def main(launcher: str, parallel: str, jobs: str, command: str, megabytes: str = "0") -> None:
    """Run all jobs, then print the times."""
    ballast = b"x" * (int(megabytes) << 20)
    run = runner_of(launcher)
    run(command)
    left = iter(range(int(jobs)))

    def work() -> None:
        for _ in left:
            run(command)

    settle_in()
    wall, used = time.perf_counter(), cpu()
    gevent.joinall([gevent.spawn(work) for _ in range(int(parallel))])
    print(f"{time.perf_counter() - wall:.6f} {cpu() - used:.6f}")
    del ballast


if __name__ == "__main__":
    main(*sys.argv[1:])
