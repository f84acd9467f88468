"""FIFO queues: the jobs of one message group run one after the other, in the order of receive.

On a standard queue a message group is a tenant of a fair queue, and orders nothing.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event

from ..errors import GroupReturned
from ..intake import WaitingRoom
from ..log import get_logger
from .run import Run

log = get_logger(__name__)

#: How the name of a queue that orders ends.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_ORDERS = ".fifo"


class _Turn:
    """A run's permit in its group's line. returned: one before it went back to the queue."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.come = Event()
        self.returned = False


class Groups:
    """The lines of all message groups that this kicker holds messages of.

    queue_name: of the queue that they are of; only one that ends in `.fifo` has lines.
    """

    def __init__(self, room: WaitingRoom, queue_name: str) -> None:
        self._room = room
        self._ordered = queue_name.endswith(_ORDERS)
        self._lines: dict[str, deque[_Turn]] = {}

    @contextmanager
    def turn(self, run: Run) -> Iterator[None]:
        """Be the only one of the group for the block, in the order in which blocks were entered.

        A run whose message is not deleted at the end of its block takes those behind it along.
        Raises GroupReturned to them, or Stopping.
        """
        group_id = run.message.group_id
        if group_id is None or not self._ordered:
            yield
            return
        line = self._lines.setdefault(group_id, deque())
        mine = _Turn(run.owner)
        line.append(mine)
        try:
            if line[0] is not mine:
                with (
                    run.waiting("group", lambda: line[0].owner),
                    run.permit.lent(),
                    self._room.waiting(),
                ):
                    mine.come.wait()
            if mine.returned:
                raise GroupReturned(f"an earlier job of its group {group_id!r} went back")
            yield
        finally:
            if not run.message.deleted:
                for behind in list(line)[line.index(mine) + 1 :]:
                    behind.returned = True
            line.remove(mine)
            if line:
                line[0].come.set()
            else:
                del self._lines[group_id]
