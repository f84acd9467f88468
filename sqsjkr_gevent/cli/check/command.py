"""`check`: checks everything that the kicker needs, and changes nothing."""

from collections.abc import Callable, Iterator

import click

from ... import descriptors
from ...aws import make_session
from ...config import Config
from ...errors import SqsjkrError
from ..clients import client
from ..failing import FAILED, aws_error_line, is_aws_error, one_line
from ..loading import load_quietly
from ..settings import Settings, conf_option
from .aws import clock, credentials
from .findings import Finding, fail, ok, print_findings
from .host import access, history, open_files, stats_address, times
from .queue import queue
from .table import store_findings


@click.command
@conf_option
@click.pass_obj
def command(settings: Settings) -> int:
    """Check that everything the config names exists and fits together.

    Each line is ok, warn or FAIL; warn and FAIL say what to do. Exits with 1 if there is a FAIL.
    Changes nothing, and receives no message.
    """
    config = load_quietly(settings)
    return 0 if print_findings(_findings(settings.file, config)) else FAILED


def _findings(file: str, config: Config) -> Iterator[Finding]:
    yield ok("config", file)
    yield from times(config)
    yield from open_files(config, descriptors.limit())
    yield from _try("stats", lambda: stats_address(config.kicker))
    yield from access(config.kicker)
    yield from history(config.history)
    session = make_session(config.account)
    found = list(_try("credentials", lambda: credentials(session, config.account)))
    yield from found
    if any(finding.level == "FAIL" for finding in found):
        return
    sqs = client(session, config.account, "sqs")
    yield from _try("clock", lambda: clock(sqs))
    yield from _try("queue", lambda: queue(config, sqs))
    dynamodb = client(session, config.account, "dynamodb")
    yield from _try("stores", lambda: store_findings(config, session, dynamodb))


def _try(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; an error in it becomes a finding."""
    try:
        yield from check()
    except SqsjkrError as error:
        yield fail(what, one_line(str(error)))
    except Exception as error:
        if not is_aws_error(error):
            raise
        yield fail(what, aws_error_line(error))
