"""`dlq`: finds the queues of the config."""

from dataclasses import dataclass

from ...aws import Client, make_session
from ...aws.dead_letters import DeadLetters
from ...aws.lookup import find_queue
from ...config import Config
from ...errors import ConfigError
from ..clients import client


@dataclass(frozen=True, slots=True)
class Queues:
    """The queue, and its dead-letter queue.

    receives: maxReceiveCount, after which SQS moves a message there; None if SQS moves none.
    """

    client: Client
    url: str
    dead_letter_url: str
    receives: int | None

    def dead_letters(self) -> DeadLetters:
        """The dead-letter queue, for a `with` block."""
        return DeadLetters(self.client, self.dead_letter_url)


def find(config: Config) -> Queues:
    """Find both queues. Raises ConfigError if there is no dead-letter queue, and as find_queue."""
    sqs = client(make_session(config.account), config.account, "sqs")
    name = config.sqs.queue_name
    found = find_queue(sqs, name, config.account.id, config.sqs.dead_letter_queue)
    if found.dead_letter_url is None:
        raise ConfigError(
            f"queue {name!r} has no dead-letter queue: set its RedrivePolicy, or "
            f"sqs.dead_letter_queue"
        )
    redrive = found.redrive
    if redrive is not None and redrive.name != found.dead_letter_url.rsplit("/", 1)[-1]:
        redrive = None  # SQS moves messages to another queue than the config names.
    receives = None if redrive is None else redrive.max_receives
    return Queues(sqs, found.url, found.dead_letter_url, receives)
