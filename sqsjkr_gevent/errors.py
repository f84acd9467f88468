"""Every error the package raises on purpose. One base, one line each where the name says it all."""


class SqsjkrError(Exception):
    """Base of all errors of sqsjkr-gevent."""


class ConfigError(SqsjkrError):
    """The config cannot be used; the text names the key, the file and what to write instead."""


class StartError(SqsjkrError):
    """The kicker cannot start: a queue or table is missing, or access to it is denied."""


class InvalidMessage(SqsjkrError):
    """A message body does not fit; the text names the key and what was expected."""


class DuplicatedMessage(SqsjkrError):
    """The throttler knows this job as done."""


class Held(SqsjkrError):
    """Somebody else holds what was asked for.

    lapses_in: seconds until the holder's lease lapses if it is not renewed, as far as this
    observer can tell; None where the holder has no lease.
    holder: whoever holds it, as the store names it; None where that is not known.
    free_in: seconds in which the holder's kicker expected, as it took this, to be through with all
    its jobs that want it; None where it could not tell.
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

    def of(self) -> str | None:
        """The holder."""
        return self.holder


class AlreadyLocked(Held):
    """Another job holds the lock."""


class JobInProgress(Held):
    """Another kicker is running this job."""


class OverLifeTime(SqsjkrError):
    """The job waited longer than its life_time."""


class LeaseLost(SqsjkrError):
    """A lease is no longer ours: it lapsed, or somebody took it over."""


class StoreError(SqsjkrError):
    """A lock or throttle store cannot be reached or refuses to answer."""


class QueueError(SqsjkrError):
    """SQS cannot be reached or refuses a call."""


class AccessDenied(QueueError):
    """SQS refuses a call for want of a permission."""


class ReceiptHandleInvalid(QueueError):
    """The receipt handle has expired or was replaced; the message is no longer this receiver's."""


class Stopping(SqsjkrError):
    """The kicker stops, and the job has not started."""


class GroupReturned(SqsjkrError):
    """An earlier job of the same message group went back to the queue."""


class AttemptsExhausted(SqsjkrError):
    """The job had its last attempt; only its dead letter is still to be sent."""


class CannotExecute(SqsjkrError):
    """The command cannot be executed by any host, as one longer than the system takes."""


class HostExhausted(SqsjkrError):
    """This host is out of processes, descriptors or memory for now."""
