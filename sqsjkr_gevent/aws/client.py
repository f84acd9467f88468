"""Sessions and clients: how every call to AWS is made, bounded and watched."""

from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from gevent.lock import BoundedSemaphore

from .. import __version__
from ..config import Account
from ..errors import ConfigError

#: Seconds to connect and to wait for bytes of an answer. A long poll adds its own wait.
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0

#: Error codes that say: this identity may not do that.
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied"}
)

Observer = Callable[[str, "Exception | None"], None]


def make_session(account: Account) -> botocore.session.Session:
    """A session of the account's profile. Raises ConfigError where there is no such profile."""
    session = botocore.session.Session(profile=account.profile or None)
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise ConfigError(f"account.profile: {error}; see `aws configure list-profiles`") from error
    return session


class Client:
    """One service's client: at most `connections` calls at a time, each of them observed.

    observe: told of every call's operation, with its error or None.
    wait: seconds a call may rest at the server before it answers, as a long poll does.
    attempts: most tries of one call by botocore.
    """

    def __init__(
        self,
        session: botocore.session.Session,
        service: str,
        account: Account,
        *,
        connections: int,
        observe: Observer,
        wait: float = 0.0,
        attempts: int = 1,
    ) -> None:
        self._places = BoundedSemaphore(connections)
        self._observe = observe
        self._client: Any = session.create_client(
            service,
            region_name=account.region,
            endpoint_url=account.endpoint_url or None,
            config=BotoConfig(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT + wait,
                max_pool_connections=connections,
                retries={"mode": "standard", "total_max_attempts": attempts},
                parameter_validation=False,
                tcp_keepalive=True,
                user_agent=f"sqsjkr-gevent/{__version__}",
            ),
        )

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call `operation` (its snake_case name); raises what botocore raises."""
        with self._places:
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
            except Exception as error:
                self._observe(operation, None if is_condition(error) else error)
                raise
        self._observe(operation, None)
        return answer


def error_code(error: Exception) -> str:
    """The service's error code, or the name of the fault where no answer came."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_condition(error: Exception) -> bool:
    """Whether the store answered, and its answer was that the condition does not hold."""
    return error_code(error) == "ConditionalCheckFailedException"


def is_denied(error: Exception) -> bool:
    """Whether the service answered that this identity lacks a permission."""
    return error_code(error) in _DENIED


def has_no_credentials(error: Exception) -> bool:
    """Whether no credentials were found to sign with."""
    return isinstance(error, NoCredentialsError)


#: What botocore raises for a call that went wrong.
CallError = (ClientError, BotoCoreError)
