"""`check`: looks at everything that the kicker will need, and changes nothing."""

from collections.abc import Callable, Iterator

import click

from ... import descriptors
from ...aws import make_session
from ...config import Config
from ...errors import SqsjkrError
from ..clients import client
from ..failing import FAILED, is_of_aws, of_aws, one_line
from ..loading import load_quietly
from ..settings import Settings, conf_option
from .aws import clock, credentials
from .findings import Finding, fail, ok, show
from .host import access, history, open_files, stats_address, times
from .queue import queue
from .table import store_findings


@click.command
@conf_option
@click.pass_obj
def command(settings: Settings) -> int:
    """Look whether everything that the config names is there and fits.

    Each line is ok, warn or FAIL, and the last two say what to do. Exit code 1 where one failed.
    Nothing is changed, and no message received.
    """
    config = load_quietly(settings)
    return 0 if show(_findings(settings.file, config)) else FAILED


def _findings(file: str, config: Config) -> Iterator[Finding]:
    yield ok("config", file)
    yield from times(config)
    yield from open_files(config, descriptors.limit())
    yield from _tried("stats", lambda: stats_address(config.kicker))
    yield from access(config.kicker)
    yield from history(config.history)
    session = make_session(config.account)
    found = list(_tried("credentials", lambda: credentials(session, config.account)))
    yield from found
    if any(finding.level == "FAIL" for finding in found):
        return
    sqs = client(session, config.account, "sqs")
    yield from _tried("clock", lambda: clock(sqs))
    yield from _tried("queue", lambda: queue(config, sqs))
    dynamodb = client(session, config.account, "dynamodb")
    yield from _tried("stores", lambda: store_findings(config, session, dynamodb))


def _tried(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings; where a look itself fails, that is one."""
    try:
        yield from look()
    except SqsjkrError as error:
        yield fail(what, one_line(str(error)))
    except Exception as error:
        if not is_of_aws(error):
            raise
        yield fail(what, of_aws(error))
