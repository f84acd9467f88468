"""What calls to AWS cost, made one after the other as a kicker makes them.

python calls.py CONF WHAT COUNT

WHAT: `locks`, taken and given back; or `receives` of ten messages from a filled queue. Prints CPU
seconds per call. AWS_ENDPOINT_URL names an aws/server.c, which counts the calls.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

from processes import Aws  # noqa: E402

from sqsjkr_gevent import Config  # noqa: E402
from sqsjkr_gevent.kicker.own_process import settle_in  # noqa: E402
from sqsjkr_gevent.worker import Parts  # noqa: E402

#: Calls that come first, and are not counted.
WARM_UP = 100


def locks(parts: Parts) -> Callable[[], None]:
    """Takes a lock and gives it back."""
    locker = parts.stores.locker()

    def cycle() -> None:
        locker.acquire("lock", "event", owner="bench")
        locker.release("lock", "bench")

    return cycle


def receives(parts: Parts) -> Callable[[], None]:
    """Receives ten messages."""
    parts.queue.open()

    def receive() -> None:
        if len(parts.queue.receive(10)) != 10:
            raise RuntimeError("the queue ran empty")

    return receive


def main(conf: str, what: str, count: str) -> None:
    """Make the calls."""
    aws = Aws(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port or 0)
    call = {"locks": locks, "receives": receives}[what](Parts(Config.load(conf)))
    settle_in()
    for _ in range(WARM_UP):
        call()
    before, used = sum(aws.tell()["calls"].values()), time.process_time()
    for _ in range(int(count)):
        call()
    used = time.process_time() - used
    print(used / (sum(aws.tell()["calls"].values()) - before))


if __name__ == "__main__":
    main(*sys.argv[1:])
