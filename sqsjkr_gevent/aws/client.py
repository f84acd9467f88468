"""Sessions and clients: every call to AWS, with its limits and its observer."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import botocore.session
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from botocore.utils import get_environ_proxies
from gevent.lock import BoundedSemaphore

from .. import __version__
from ..config import AccountSection
from ..errors import ConfigError
from .pace import Pace

try:
    from .transport import LeanTransport
except ImportError:  # No recent enough geventhttpclient supports Python 3.10.
    LeanTransport = None  # type: ignore[assignment,misc]

#: Seconds to connect, and to wait for bytes of a response. A long poll adds its own wait.
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0

#: Urgent calls at a time. They have their own connections, so they never wait for other calls.
URGENT_CONNECTIONS = 32

#: Error codes for a missing permission.
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied"}
)

#: Error codes for throttling, besides status 429. They come with status 400.
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

#: Error codes for failed authentication.
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

#: Error codes for a queue or table that does not exist.
MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)

#: DynamoDB's error code for a request that does not match the table's keys.
WRONG_SHAPE = "ValidationException"

#: What botocore raises for a failed call.
CallError = (ClientError, BotoCoreError)

#: What make_session returns; an alias, so that other modules need not import botocore.
Session: TypeAlias = botocore.session.Session

Observer = Callable[[str, "Exception | None"], None]


def make_session(account: AccountSection) -> Session:
    """A session with the account's profile. Raises ConfigError if the profile does not exist."""
    session = Session()
    if account.profile is not None:
        session.set_config_variable("profile", account.profile)
    session.set_config_variable("region", account.region)
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise ConfigError(f"account.profile: {error}; see `aws configure list-profiles`") from error
    return session


class BrokenAnswer(BotoCoreError):
    """A response that cannot be parsed."""

    fmt = "cannot read the response: {error}"


def unobserved(operation: str, error: Exception | None) -> None:
    """An observer that does nothing, for commands that run once."""


def all_unobserved(_service: str) -> Observer:
    """Returns `unobserved` for any service."""
    return unobserved


class Client:
    """One service's client: up to `connections` calls at a time.

    Urgent calls do not count: they have their own connections.

    observe: called after every call with its operation, and its error or None.
    pace: shared by all clients of the service.
    wait: seconds that the server may hold a call before it responds, as in a long poll.
    attempts: how often botocore tries one call.
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
        self._slots = BoundedSemaphore(connections)
        self._urgent_slots = BoundedSemaphore(URGENT_CONNECTIONS)
        connections += URGENT_CONNECTIONS
        self._observe = observe
        self._pace = pace or Pace()
        self._client: Any = session.create_client(
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

        events: Any = self._client.meta.events
        events.register("before-send", self._pace.before_send)
        events.register("response-received", self._on_response)
        if LeanTransport is not None and may_be_lean(
            self._client.meta.endpoint_url, _ca_bundle(session)
        ):
            transport = LeanTransport(
                connections=connections,
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT + wait,
            )
            # Registered after the pace, so it sends after the pace has waited.
            events.register("before-send", transport.before_send)

    @property
    def endpoint_url(self) -> str:
        """The URL that calls are sent to."""
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
        """Call `operation` (its snake_case name). Raises what botocore raises.

        urgent: go ahead of waiting calls, as a lease renewal must.
        expected: whether the caller handles an error; such errors are not reported to the observer.
        """
        expected = expected or is_condition
        if urgent:
            with self._urgent_slots, self._pace.hurried():
                return self._call(operation, arguments, expected)
        with self._slots:
            return self._call(operation, arguments, expected)

    def _call(
        self, operation: str, arguments: dict[str, Any], expected: Callable[[Exception], bool]
    ) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except CallError as error:
            self._observe(operation, None if expected(error) else error)
            raise
        except Exception as error:
            # A malformed response can make botocore's parser raise any exception.
            self._pace.failed()
            broken = BrokenAnswer(error=repr(error))
            self._observe(operation, broken)
            raise broken from error
        finally:
            self._pace.over()
        self._observe(operation, None)
        return response

    def _on_response(self, parsed_response: dict[str, Any] | None, **_: object) -> None:
        """Handles botocore's event response-received, for each try. None means no response."""
        if parsed_response is not None and _is_well(parsed_response):
            self._pace.succeeded()
        else:
            self._pace.failed()


def may_be_lean(endpoint_url: str, ca_bundle: str | None) -> bool:
    """Whether LeanTransport can reach the endpoint: no proxy, no custom CA bundle.

    ca_bundle: botocore's setting, from the profile or AWS_CA_BUNDLE.
    """
    if get_environ_proxies(endpoint_url):
        return False
    custom_bundle = ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE")
    return not (custom_bundle and endpoint_url.startswith("https:"))


def _ca_bundle(session: Session) -> str | None:
    bundle: str | None = session.get_config_variable("ca_bundle")
    return bundle


def _is_well(response: Mapping[str, Any]) -> bool:
    """Whether the service carried out the request, or rejected it for a fault of the request."""
    status: int = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status < 400:
        return True
    return status < 500 and status != 429 and response["Error"]["Code"] not in _THROTTLED


def error_code(error: Exception) -> str:
    """The service's error code, or the exception's name if there was no response."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_condition(error: Exception) -> bool:
    """Whether DynamoDB rejected a conditional write because its condition does not hold."""
    return error_code(error) == "ConditionalCheckFailedException"


def is_refusal(error: Exception) -> bool:
    """Whether a healthy service allows the call but rejects its arguments.

    False for failed authentication, a missing queue or table, and a table with other keys.
    """
    if not isinstance(error, ClientError) or not _is_well(error.response):
        return False
    return error_code(error) not in _DENIED | _UNKNOWN | MISSING | {WRONG_SHAPE}


def is_denied(error: Exception) -> bool:
    """Whether the service denied the call for a missing permission."""
    return error_code(error) in _DENIED


def has_no_credentials(error: Exception) -> bool:
    """Whether no credentials were found."""
    return isinstance(error, NoCredentialsError)
