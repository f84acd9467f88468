"""A job, as the body of a message requests it. Pure: no clock, no process, no network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import InvalidMessage, shown
from ..log import get_logger
from ..message import Message
from .body import KEYS, boolean, environment, parse_body, seconds, string
from .schema import MAX_LOCK_ID

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command to run, and its conditions.

    id: the id of its message.
    command: run as `sh -c COMMAND`; never blank.
    env: variables added to the command's environment.
    event_id: its name in logs and locks; by default, the id.
    life_time: seconds after sent_at within which it must start; negative: always expired.
    lock_id: only one job with this id runs at a time.
    abort_if_locked: give up if the lock is taken, instead of waiting.
    life_time_trigger_enabled: false if the body sets disable_life_time_trigger.
    timeout: longest run of the command, in seconds.
    kill_over_life_time: whether life_time limits the run as well.
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
        """The job that a message requests.

        kill_over_life_time, timeout (seconds, 0: none): defaults for a body without these keys.
        Raises InvalidMessage, which names the key and what was expected, and no other error.
        """
        body = parse_body(message.body)
        unknown = sorted(body.keys() - KEYS)
        if unknown:
            # Names only, since values can be secrets; and there could be thousands, or a huge one.
            keys = [key[:100] for key in unknown[:20]]
            log.debug("unknown keys in a message", message_id=message.id, keys=keys)
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
        """Check a body before it is sent. Returns its unknown keys; raises InvalidMessage.

        An unknown key does no harm, but may be a typo.
        """
        cls.from_message(Message(id="-", body=body, receipt_handle="", sent_at=0))
        return tuple(sorted(parse_body(body).keys() - KEYS))

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds after which the job must not start; None: no limit."""
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
        raise InvalidMessage(f"timeout: expected 0 (none) or more, got {shown(value)}")
    return timeout or None
