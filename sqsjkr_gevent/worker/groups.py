"""FIFO queues: the jobs of a message group run one after the other, in the order of receive.

In a standard queue a message group is a tenant of a fair queue, and orders nothing.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from ..errors import GroupReturned
from ..intake import WaitingRoom
from .line import Lines, Waiter
from .run import Run

#: The name of a queue that orders its groups ends like this.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_FIFO = ".fifo"


class Groups:
    """Has the jobs of each message group of a FIFO queue take turns. queue_name: of that queue."""

    def __init__(self, room: WaitingRoom, queue_name: str) -> None:
        self._is_fifo = queue_name.endswith(_FIFO)
        self._lines = Lines("group", room)

    def turn(self, run: Run) -> AbstractContextManager[None]:
        """Be the only run of the group in the block; runs enter it in the order of their calls.

        If the run's message is not deleted at the end of its block, the runs behind it go back to
        the queue as well. Raises GroupReturned in those, or Stopping.
        """
        group_id = run.message.group_id
        if group_id is None or not self._is_fifo:
            return nullcontext()
        return self._turn(run, group_id)

    @contextmanager
    def _turn(self, run: Run, group_id: str) -> Iterator[None]:
        def take_along(behind: Sequence[Waiter]) -> None:
            if not run.message.deleted:
                for waiter in behind:
                    waiter.is_returned = True

        with self._lines.first(group_id, run, on_leave=take_along) as me:
            if me.is_returned:
                raise GroupReturned(f"an earlier job of its group {group_id!r} went back")
            yield
