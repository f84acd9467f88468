"""What a kicker asks of a queue: aws.SqsQueue has it, and so have doubles in tests."""

from typing import Protocol

from ..message import Message
from ..telemetry import Numbers


class Queue(Protocol):
    """A queue. All methods raise QueueError where it fails for now; open() comes first.

    name: ends in `.fifo` where the jobs of a message group run one after the other, in order.
    """

    name: str

    def open(self) -> float:
        """Find it; answers the seconds that it keeps a message. Raises StartError."""

    def receive(self, limit: int) -> list[Message]:
        """Up to `limit` messages; waits a while for the first one."""

    def delete(self, message: Message) -> None:
        """Delete it, and set its `deleted`. Raises ReceiptHandleInvalid."""

    def change_visibility(self, message: Message, seconds: float) -> None:
        """Make it visible again in `seconds`. Raises ReceiptHandleInvalid."""

    def extend_visibility(self, message: Message, seconds: float) -> None:
        """Keep it invisible for `seconds` from now. Raises ReceiptHandleInvalid."""

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Copy it to the dead-letter queue; False where there is none."""

    def depth(self) -> Numbers | None:
        """About how many messages it holds; None before open()."""

    def close(self, timeout: float) -> None:
        """Send what waits to be sent, for at most `timeout` seconds."""
