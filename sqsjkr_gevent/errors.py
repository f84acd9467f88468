"""Every error the package raises on purpose, all with one base class."""

import reprlib


def shown(value: object) -> str:
    """A wrong value, for the text of an error: on one line, and cut if it is long."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python does not write a number of more than 4300 digits in decimal.
        return "a number of thousands of digits"


class SqsjkrError(Exception):
    """Base of all errors of sqsjkr-gevent."""


class ConfigError(SqsjkrError):
    """The config is invalid; the text names the key, the file and what to write instead."""


class StartError(SqsjkrError):
    """The kicker cannot start: a queue or table is missing, or access to it is denied."""


class InvalidMessage(SqsjkrError):
    """A message body is invalid; the text names the key and what was expected."""


class DuplicatedMessage(SqsjkrError):
    """The throttler has this job recorded as done."""


class Held(SqsjkrError):
    """Another holder has the lease.

    lapses_in: seconds until the holder's lease lapses unless renewed, as seen by this observer;
    None if the holder has no lease.
    holder: the holder's name in the store; None if unknown.
    free_in: seconds in which the holder's kicker expected, when it took the lease, to finish all
    its jobs that need it; None if it could not tell.
    """

    def __init__(
        self,
        text: str = "",
        *,
        lapses_in: float | None = None,
        holder: str | None = None,
        free_in: float | None = None,
    ) -> None:
        super().__init__(text)
        self.lapses_in = lapses_in
        self.holder = holder
        self.free_in = free_in

    def get_holder(self) -> str | None:
        """Returns the holder."""
        return self.holder


class AlreadyLocked(Held):
    """Another job holds the lock."""


class JobInProgress(Held):
    """Another kicker is running this job."""


class OverLifeTime(SqsjkrError):
    """The job waited longer than its life_time."""


class LeaseLost(SqsjkrError):
    """This kicker lost a lease: it lapsed, or another kicker took it over."""


class StoreError(SqsjkrError):
    """A lock or throttle store cannot be reached or refuses a request."""


class QueueError(SqsjkrError):
    """SQS cannot be reached or refuses a call."""


class AccessDenied(QueueError):
    """SQS refuses a call because a permission is missing."""


class ReceiptHandleInvalid(QueueError):
    """The receipt handle expired or was replaced; this receiver no longer owns the message."""


class Stopping(SqsjkrError):
    """The kicker is stopping, and the job has not started."""


class GroupReturned(SqsjkrError):
    """An earlier job of the same message group went back to the queue."""


class AttemptsExhausted(SqsjkrError):
    """The job has used all its attempts; only its dead letter remains to be sent."""


class CannotExecute(SqsjkrError):
    """No host can execute the command, for example because it is too long."""


class HostExhausted(SqsjkrError):
    """This host is temporarily out of processes, descriptors or memory."""
