"""A kicker that measures itself.

python kick.py CONF

Runs a kicker with that config until SIGTERM. Then prints as JSON the 99th percentile of the hub's
lag, in seconds, and the CPU seconds of the kicker without its children.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

from sqsjkr_gevent import Config, Kicker  # noqa: E402
from sqsjkr_gevent.kicker.own_process import settle_in  # noqa: E402
from sqsjkr_gevent.log import configure  # noqa: E402

TICK = 0.005


def measure(late: list[float]) -> None:
    """Record how much later than requested each sleep ends."""
    while True:
        asked = time.perf_counter()
        gevent.sleep(TICK)
        late.append(time.perf_counter() - asked - TICK)


def main(conf: str) -> None:
    """Run the kicker, then print the measurements."""
    late: list[float] = []
    gevent.spawn(measure, late)
    configure("error", "text")
    kicker = Kicker(Config.load(conf))
    settle_in()
    kicker.run()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    late.sort()
    print(
        json.dumps(
            {"tick_p99": late[len(late) * 99 // 100], "cpu": usage.ru_utime + usage.ru_stime}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
