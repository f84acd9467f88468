"""What a kicker asks of a queue: aws.SqsQueue has it, and so have doubles in tests."""

from typing import Protocol

from ..message import Message
from ..telemetry import Numbers


class Queue(Protocol):
    """A queue. All methods raise QueueError while it fails; open() comes first.

    name: ends in `.fifo` if the jobs of a message group run one after the other, in order.
    """

    name: str

    def open(self) -> float:
        """Find it; returns how many seconds it keeps a message. Raises StartError."""

    def receive(self, limit: int) -> list[Message]:
        """Up to `limit` messages; waits a while for the first one."""

    def delete(self, message: Message) -> None:
        """Delete it, and set its `deleted`. Raises ReceiptHandleInvalid."""

    def change_visibility(self, message: Message, seconds: float) -> None:
        """Make it visible again in `seconds`. Raises ReceiptHandleInvalid."""

    def extend_visibility(self, message: Message, seconds: float) -> None:
        """Keep it invisible for `seconds` from now. Raises ReceiptHandleInvalid."""

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Copy it to the dead-letter queue; returns False if there is none."""

    def depth(self) -> Numbers | None:
        """About how many messages it has; None before open()."""

    def close(self, timeout: float) -> None:
        """Send what still waits to be sent, for at most `timeout` seconds."""
