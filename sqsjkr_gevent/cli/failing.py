"""From an exception to an exit code and one line that says what to do."""

import click

from ..errors import ConfigError, SqsjkrError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_CREDENTIALS = "set account.profile in the config, --profile, or the AWS_* variables"
_NETWORK = "check account.region, account.endpoint_url and the network"

#: What to do about errors of AWS calls, by the service's code or the name of botocore's exception.
_ADVICE = {
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "ProfileNotFound": "see `aws configure list-profiles`",
    "InvalidClientTokenId": f"these credentials are not valid here: {_CREDENTIALS}",
    "UnrecognizedClientException": f"these credentials are not valid here: {_CREDENTIALS}",
    "SignatureDoesNotMatch": "the secret key is wrong, or this host's clock is",
    "RequestExpired": "set this host's clock",
    "ExpiredToken": "the credentials have expired: renew them",
    "ExpiredTokenException": "the credentials have expired: renew them",
    "EndpointConnectionError": _NETWORK,
    "ConnectTimeoutError": _NETWORK,
    "ReadTimeoutError": _NETWORK,
    "ConnectionClosedError": _NETWORK,
    "ProxyConnectionError": "check the *_proxy variables",
    "QueueDeletedRecently": "wait a minute",
    "AWS.SimpleQueueService.QueueDeletedRecently": "wait a minute",
}


def explained(error: BaseException) -> tuple[int, str]:
    """The exit code, and the line for standard error, which is empty for an interruption."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED, ""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "sqsjkr-gevent"
        return MISUSED, one_line(f"{error.format_message()} See `{command} --help`.")
    if isinstance(error, SqsjkrError):
        return MISUSED if isinstance(error, ConfigError) else FAILED, one_line(str(error))
    if is_of_aws(error):
        return FAILED, of_aws(error)
    kind = type(error).__name__
    return FAILED, one_line(f"{kind}: {error} (--log-level debug shows where)")


def is_foreseen(error: BaseException) -> bool:
    """Whether the line says it all, and no traceback could add to it."""
    kinds = (KeyboardInterrupt, click.Abort, click.UsageError, SqsjkrError)
    return isinstance(error, kinds) or is_of_aws(error)


def is_of_aws(error: BaseException) -> bool:
    """Whether botocore raised it."""
    # By name: importing botocore here would make `--help` slow.
    return any(kind.__module__ == "botocore.exceptions" for kind in type(error).__mro__)


def of_aws(error: BaseException) -> str:
    """One line for what botocore raised: its own words, and what to do."""
    response = getattr(error, "response", None) or {}  # None where no answer came
    code = str(response.get("Error", {}).get("Code", type(error).__name__))
    advice = _ADVICE.get(code, "")
    if "AccessDenied" in code:
        advice = "allow it in the policy of this identity"
    return one_line(f"{error}; {advice}" if advice else str(error))


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
