"""Turns an exception into an exit code and a line that says what to do."""

import click

from ..errors import ConfigError, SqsjkrError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as in shells

_CREDENTIALS = "set account.profile in the config, --profile, or the AWS_* variables"
_NETWORK = "check account.region, account.endpoint_url and the network"

#: Advice for errors of AWS calls, by the service's error code or the name of botocore's exception.
_ADVICE = {
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "ProfileNotFound": "see `aws configure list-profiles`",
    "InvalidClientTokenId": f"these credentials are not valid here: {_CREDENTIALS}",
    "UnrecognizedClientException": f"these credentials are not valid here: {_CREDENTIALS}",
    "SignatureDoesNotMatch": "the secret key or this host's clock is wrong",
    "RequestExpired": "correct this host's clock",
    "ExpiredToken": "the credentials have expired: renew them",
    "ExpiredTokenException": "the credentials have expired: renew them",
    "EndpointConnectionError": _NETWORK,
    "ConnectTimeoutError": _NETWORK,
    "ReadTimeoutError": _NETWORK,
    "ConnectionClosedError": _NETWORK,
    "ProxyConnectionError": "check the *_proxy variables",
    "QueueDeletedRecently": "try again in a minute",
    "AWS.SimpleQueueService.QueueDeletedRecently": "try again in a minute",
}


def explained(error: BaseException) -> tuple[int, str]:
    """The exit code, and the line for standard error; the line is empty for an interruption."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED, ""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "sqsjkr-gevent"
        return MISUSED, one_line(f"{error.format_message()} See `{command} --help`.")
    if isinstance(error, SqsjkrError):
        return MISUSED if isinstance(error, ConfigError) else FAILED, one_line(str(error))
    if is_aws_error(error):
        return FAILED, aws_error_line(error)
    kind = type(error).__name__
    return FAILED, one_line(f"{kind}: {error} (use --log-level debug for a traceback)")


def is_expected(error: BaseException) -> bool:
    """Whether the error is an expected one, for which a traceback adds nothing."""
    kinds = (KeyboardInterrupt, click.Abort, click.UsageError, SqsjkrError)
    return isinstance(error, kinds) or is_aws_error(error)


def is_aws_error(error: BaseException) -> bool:
    """Whether botocore raised the error."""
    # Checked by name: importing botocore here would slow down `--help`.
    return any(kind.__module__ == "botocore.exceptions" for kind in type(error).__mro__)


def aws_error_line(error: BaseException) -> str:
    """One line for an error of botocore: its message, and advice."""
    response = getattr(error, "response", None) or {}  # None if there was no response
    code = str(response.get("Error", {}).get("Code", type(error).__name__))
    advice = _ADVICE.get(code, "")
    if "AccessDenied" in code:
        advice = "allow it in this identity's policy"
    return one_line(f"{error}; {advice}" if advice else str(error))


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
