"""Where messages come from, as a kicker sees it: aws.sqs.Queue, or a double in tests."""

from typing import Protocol

from .depth import Numbers
from .message import Message


class Source(Protocol):
    """A queue. All methods raise QueueError where it fails for now; open() comes first.

    name: ends in `.fifo` where the jobs of a message group run one after the other, in order.
    """

    name: str

    def open(self) -> float:
        """Find it; answers the seconds that it keeps a message. Raises StartError."""

    def receive(self, most: int) -> list[Message]:
        """Up to `most` messages; waits for the first of them for a while."""

    def delete(self, message: Message) -> None:
        """Delete it, and set its `deleted`. Raises ReceiptHandleInvalid."""

    def hide(self, message: Message, seconds: float) -> None:
        """Show it again in `seconds`. Raises ReceiptHandleInvalid."""

    def hide_on(self, message: Message, seconds: float) -> None:
        """Keep it hidden for `seconds` from now. Raises ReceiptHandleInvalid."""

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Copy it to the dead-letter queue; False where there is none."""

    def depth(self) -> Numbers | None:
        """About how many messages it holds; None before open()."""

    def close(self, timeout: float) -> None:
        """Send what waits to be sent, for at most `timeout` seconds."""
