"""A job: what the body of a message asks for. Pure: no clock, no process, no network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import InvalidMessage
from ..log import get_logger
from ..message import Message
from .body import KEYS, boolean, environment, parse_body, seconds, string
from .schema import MAX_LOCK_ID

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command to run, and the conditions of it.

    id: the id of its message.
    command: run as `sh -c COMMAND`; never blank.
    env: added to the environment of the command.
    event_id: its name in logs and locks; the id where the body gives none.
    life_time: seconds from sent_at until it must have started; negative: always over.
    lock_id: only one job with this id runs at a time.
    abort_if_locked: give up where that one is locked, instead of waiting.
    life_time_trigger_enabled: false where the body has disable_life_time_trigger.
    timeout: longest run of the command, seconds.
    kill_over_life_time: life_time bounds the run as well.
    sent_at: epoch seconds.  receive_count, group_id: as in Message.
    """

    id: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    event_id: str
    life_time: float | None = None
    lock_id: str | None = None
    abort_if_locked: bool = False
    life_time_trigger_enabled: bool = True
    timeout: float | None = None
    kill_over_life_time: bool = False
    sent_at: float
    receive_count: int = 1
    group_id: str | None = None

    @classmethod
    def from_message(
        cls, message: Message, *, kill_over_life_time: bool = False, timeout: float = 0
    ) -> "Job":
        """The job a message asks for.

        kill_over_life_time, timeout (seconds, 0: none): for a body that does not say.
        Raises InvalidMessage, which names the key and what was expected, and nothing else.
        """
        body = parse_body(message.body)
        unknown = sorted(body.keys() - KEYS)
        if unknown:
            # Names only, since values can be secrets, and not all of thousands.
            log.debug("unknown keys in a message", message_id=message.id, keys=unknown[:20])
        return cls(
            id=message.id,
            command=_command(body),
            env=environment(body),
            event_id=string("event_id", body.get("event_id", "")) or message.id,
            life_time=seconds("life_time", body.get("life_time", 0)) or None,
            lock_id=_lock_id(body),
            abort_if_locked=boolean("abort_if_locked", body.get("abort_if_locked", False)),
            life_time_trigger_enabled=not boolean(
                "disable_life_time_trigger", body.get("disable_life_time_trigger", False)
            ),
            timeout=_timeout(body) if "timeout" in body else timeout or None,
            kill_over_life_time=boolean(
                "kill_over_life_time", body.get("kill_over_life_time", kill_over_life_time)
            ),
            sent_at=message.sent_at,
            receive_count=message.receive_count,
            group_id=message.group_id,
        )

    @classmethod
    def check(cls, body: str) -> tuple[str, ...]:
        """Raises InvalidMessage where a body would be invalid; gives its unknown keys.

        For a sender: an unknown key does no harm, but may be a slip of the pen.
        """
        cls.from_message(Message(id="-", body=body, receipt_handle="", sent_at=0))
        return tuple(sorted(parse_body(body).keys() - KEYS))

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds after which the job must not start; None: it always may."""
        return None if self.life_time is None else self.sent_at + self.life_time


def _command(body: Mapping[str, object]) -> str:
    command = string("command", body.get("command", ""))
    if not command.strip():
        raise InvalidMessage("command: expected a command to run, got none")
    return command


def _lock_id(body: Mapping[str, object]) -> str | None:
    lock_id = string("lock_id", body.get("lock_id", ""))
    length = len(lock_id.encode())
    if length > MAX_LOCK_ID:
        raise InvalidMessage(f"lock_id: expected at most {MAX_LOCK_ID} bytes, got {length}")
    return lock_id or None


def _timeout(body: Mapping[str, object]) -> float | None:
    value = body["timeout"]
    timeout = seconds("timeout", value)
    if timeout < 0 or (isinstance(value, str) and value.startswith("-")):
        raise InvalidMessage(f"timeout: expected 0 (none) or more, got {value!r}")
    return timeout or None
