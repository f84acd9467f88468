"""A kicker that measures itself.

python kick.py CONF WHEN

Runs a kicker with that config and its log at level info, until SIGTERM. Then prints as JSON by how
many seconds its hub was late, the 99th percentile and the most. WHEN: `alive`, measured from start
to stop; `stop`, measured from stop to end.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
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


def main(conf: str, when: str) -> None:
    """Run the kicker, then print the measurements."""
    late: list[float] = []
    configure("info", "text")
    kicker = Kicker(Config.load(conf))
    settle_in()
    if when == "alive":
        measuring = gevent.spawn(measure, late)
        gevent.spawn(lambda: kicker.parts.stopping.wait() and measuring.kill())
    else:
        gevent.spawn(lambda: kicker.parts.stopping.wait() and measure(late))
    kicker.run()
    late.sort()
    print(json.dumps({"p99": late[len(late) * 99 // 100], "most": late[-1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
