"""Sessions and clients: how every call to AWS is made, bounded and watched."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import boto3.session
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from botocore.utils import get_environ_proxies
from gevent.lock import BoundedSemaphore

from .. import __version__
from ..config.config import AccountSection
from ..errors import ConfigError
from .pace import Pace

try:
    from .transport import LeanTransport
except ImportError:  # Python 3.10 has no geventhttpclient that is new enough.
    LeanTransport = None  # type: ignore[assignment,misc]

#: Seconds to connect and to wait for bytes of an answer. A long poll adds its own wait.
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0

#: Urgent calls at a time, beside the others: they wait for none of these, nor for their timeouts.
URGENT_CONNECTIONS = 32

#: Error codes that say: this identity may not do that.
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied"}
)

#: Error codes, beside status 429, that say: not so fast. Their status is that of a wrong request.
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

#: Error codes that say: I do not know you.
_UNKNOWN = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

#: Error codes that say: there is no such queue, or table.
MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)

#: DynamoDB's error code for a request that does not fit the table.
WRONG_SHAPE = "ValidationException"

#: What botocore raises for a call that went wrong.
CallError = (ClientError, BotoCoreError)

#: What make_session gives; other modules need no boto3 for its name.
Session: TypeAlias = boto3.session.Session

Observer = Callable[[str, "Exception | None"], None]


def make_session(account: AccountSection) -> Session:
    """A session of the account's profile. Raises ConfigError where there is no such profile."""
    try:
        return Session(profile_name=account.profile, region_name=account.region)
    except ProfileNotFound as error:
        raise ConfigError(f"account.profile: {error}; see `aws configure list-profiles`") from error


class BrokenAnswer(BotoCoreError):
    """An answer that could not be read."""

    fmt = "the answer could not be read: {error}"


def unobserved(operation: str, error: Exception | None) -> None:
    """The observer of a client that nobody watches, as of a command that runs once."""


def nobody(_service: str) -> Observer:
    """The observer of any service, where nobody watches."""
    return unobserved


class Client:
    """One service's client: at most `connections` calls at a time, each of them observed.

    Urgent calls are not among these: they have connections of their own.

    observe: told of every call's operation, with its error or None.
    pace: of the service, shared by its clients.
    wait: seconds a call may rest at the server before it answers, as a long poll does.
    attempts: most tries of one call by botocore.
    """

    def __init__(
        self,
        session: Session,
        service: str,
        account: AccountSection,
        *,
        connections: int,
        observe: Observer,
        pace: Pace | None = None,
        wait: float = 0.0,
        attempts: int = 1,
    ) -> None:
        self._places = BoundedSemaphore(connections)
        self._urgent_places = BoundedSemaphore(URGENT_CONNECTIONS)
        connections += URGENT_CONNECTIONS
        self._observe = observe
        self._pace = pace or Pace()
        self._client: Any = session.client(  # type: ignore[call-overload]  # the stubs know only literal names
            service,
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

        events = self._client.meta.events
        events.register("before-send", self._pace.before_send)
        events.register("response-received", self._answered)
        if LeanTransport is not None and may_be_lean(
            self._client.meta.endpoint_url, _ca_bundle(session)
        ):
            transport = LeanTransport(
                connections=connections,
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT + wait,
            )
            # Registered after the pace, so it sends after it.
            events.register("before-send", transport.before_send)

    @property
    def endpoint_url(self) -> str:
        """Where it sends its calls."""
        url: str = self._client.meta.endpoint_url
        return url

    def call(
        self,
        operation: str,
        *,
        urgent: bool = False,
        expected: Callable[[Exception], bool] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Call `operation` (its snake_case name); raises what botocore raises.

        urgent: whether it goes before others where calls have to wait, as a lease's renewal does.
        expected: says of which errors nobody is told but the caller, who can do with them.
        """
        expected = expected or is_condition
        if urgent:
            with self._urgent_places, self._pace.hurried():
                return self._call(operation, arguments, expected)
        with self._places:
            return self._call(operation, arguments, expected)

    def _call(
        self, operation: str, arguments: dict[str, Any], expected: Callable[[Exception], bool]
    ) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except CallError as error:
            self._observe(operation, None if expected(error) else error)
            raise
        except Exception as error:
            # What a broken answer makes of a parser is no error of botocore's kinds.
            self._pace.failed()
            broken = BrokenAnswer(error=repr(error))
            self._observe(operation, broken)
            raise broken from error
        finally:
            self._pace.over()
        self._observe(operation, None)
        return answer

    def _answered(self, parsed_response: dict[str, Any] | None, **_: object) -> None:
        """A handler of botocore's event response-received: told of each try; None: no answer."""
        if parsed_response is not None and _is_well(parsed_response):
            self._pace.succeeded()
        else:
            self._pace.failed()


def may_be_lean(endpoint_url: str, ca_bundle: str | None) -> bool:
    """Whether nothing about the way to an endpoint is unusual: no proxy, no trust of its own.

    ca_bundle: of botocore's configuration, from the profile or AWS_CA_BUNDLE.
    """
    if get_environ_proxies(endpoint_url):
        return False
    own_trust = ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE")
    return not (own_trust and endpoint_url.startswith("https:"))


def _ca_bundle(session: Session) -> str | None:
    bundle: str | None = session._session.get_config_variable("ca_bundle")  # noqa: SLF001
    return bundle


def _is_well(answer: Mapping[str, Any]) -> bool:
    """Whether the service did what it was asked for, or refused it with good reason."""
    status: int = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status < 400:
        return True
    return status < 500 and status != 429 and answer["Error"]["Code"] not in _THROTTLED


def error_code(error: Exception) -> str:
    """The service's error code, or the name of the fault where no answer came."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_condition(error: Exception) -> bool:
    """Whether the store answered, and its answer was that the condition does not hold."""
    return error_code(error) == "ConditionalCheckFailedException"


def is_refusal(error: Exception) -> bool:
    """Whether a service that is well, and allows the call, refused what was asked for in vain.

    Not where it does not know who asks, the queue or table, or the shape of the table.
    """
    if not isinstance(error, ClientError) or not _is_well(error.response):
        return False
    return error_code(error) not in _DENIED | _UNKNOWN | MISSING | {WRONG_SHAPE}


def is_denied(error: Exception) -> bool:
    """Whether the service answered that this identity lacks a permission."""
    return error_code(error) in _DENIED


def has_no_credentials(error: Exception) -> bool:
    """Whether no credentials were found to sign with."""
    return isinstance(error, NoCredentialsError)
