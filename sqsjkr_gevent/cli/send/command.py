"""`send`: checks jobs, then sends them."""

import sys
from collections.abc import Iterable
from typing import Any

import click

from ...aws import make_session
from ...aws.batches import batches
from ...aws.lookup import described, missing, queue_url
from ...aws.sqs import MAX_BATCH
from ...config import Config
from ...errors import InvalidMessage
from ...job.schema import KEYS
from ..clients import client
from ..failing import FAILED, MISUSED, one_line
from ..loading import load_quietly
from ..output.progress import progress_bar
from ..settings import Settings, conf_option
from .input import JobFile, body_of, check
from .sender import Interrupted, Line, Sender

#: Seconds for which SQS can delay a message.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_DELAY = 900

#: Lines printed about mistakes of one kind.
MAX_SHOWN = 20


@click.command(context_settings={"allow_interspersed_args": False})
@conf_option
@click.option(
    "-f",
    "--file",
    type=click.Path(),
    metavar="FILE",
    help="Send all jobs of a JSON lines file; - is standard input.",
)
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Set a variable; repeatable.")
@click.option("--event-id", metavar="ID", help=KEYS["event_id"].text)
@click.option("--life-time", metavar="TIME", help=KEYS["life_time"].text)
@click.option("--lock-id", metavar="ID", help=KEYS["lock_id"].text)
@click.option("--abort-if-locked", is_flag=True, help=KEYS["abort_if_locked"].text)
@click.option(
    "--disable-life-time-trigger", is_flag=True, help=KEYS["disable_life_time_trigger"].text
)
@click.option("--timeout", metavar="TIME", help=KEYS["timeout"].text)
@click.option("--kill-over-life-time", is_flag=True, help=KEYS["kill_over_life_time"].text)
@click.option(
    "--delay", type=click.IntRange(0, MAX_DELAY), metavar="SECONDS", help="Delay its delivery."
)
@click.option("--group-id", metavar="ID", help="MessageGroupId, for a FIFO queue.")
@click.option("--dedup-id", metavar="ID", help="MessageDeduplicationId, for a FIFO queue.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(settings: Settings, /, command: tuple[str, ...], file: str | None, **given: Any) -> int:
    """Send one job, COMMAND, or all jobs of a file, and print their message ids.

    A single COMMAND argument is passed to sh unchanged; several are quoted first. All jobs are
    checked before the first is sent; if one is invalid, none is sent.
    """
    options = {
        name: value
        for name, value in (
            ("DelaySeconds", given.pop("delay")),
            ("MessageGroupId", given.pop("group_id")),
            ("MessageDeduplicationId", given.pop("dedup_id")),
        )
        if value is not None
    }
    lines = _lines(command, file, "MessageDeduplicationId" in options, given)
    config = load_quietly(settings)
    fifo = config.sqs.queue_name.endswith(".fifo")
    _check_options(fifo, options)
    count = _check(lines, file)
    if count is None:
        return MISUSED
    sqs = client(make_session(config.account), config.account, "sqs")
    return _send(Sender(sqs, _find(config, sqs), fifo=fifo, options=options), lines, count)


def _lines(
    command: tuple[str, ...], file: str | None, dedup_id: bool, given: dict[str, Any]
) -> Iterable[Line]:
    if file is None:
        if not command:
            raise click.UsageError("Missing the job: give COMMAND or --file FILE.")
        return [Line(0, body_of(command, given.pop("env"), **given))]
    if command or dedup_id or any(given.values()):
        raise click.UsageError("With --file, omit COMMAND and the options of a job.")
    return JobFile(file)


def _check_options(fifo: bool, options: dict[str, Any]) -> None:
    if fifo and "MessageGroupId" not in options:
        raise click.UsageError("A FIFO queue needs --group-id.")
    if fifo and "DelaySeconds" in options:
        raise click.UsageError("A FIFO queue does not support --delay.")
    if not fifo and "MessageDeduplicationId" in options:
        raise click.UsageError("Only a FIFO queue supports --dedup-id.")


def _check(lines: Iterable[Line], file: str | None) -> int | None:
    """Check all jobs, and print what is wrong. Returns their number; None if one is invalid."""
    count = wrong = warned = 0
    for line in lines:
        count += 1
        try:
            for warning in check(line):
                warned += 1
                _print_some(warned, f"warning: {line}{warning}")
        except InvalidMessage as error:
            wrong += 1
            _print_some(wrong, f"{line}{error}")
    if wrong > MAX_SHOWN:
        _print_note(f"{wrong - MAX_SHOWN} more lines are wrong")
    if not count:
        _print_note(f"warning: no job in {file}")
    if wrong and file is not None:
        _print_note("nothing was sent: correct these lines first")
    return None if wrong else count


def _find(config: Config, sqs: Any) -> str:
    url = queue_url(sqs, config.sqs.queue_name, config.account.id)
    if url is None:
        raise missing(described(config.sqs.queue_name, config.account.id))
    return url


def _send(sender: Sender, lines: Iterable[Line], count: int) -> int:
    failed = 0
    with progress_bar(count, hidden_up_to=MAX_BATCH) as advance:
        try:
            for batch in batches(lines, Line.size, max_entries=sender.max_batch):
                for result in sender.send(batch):
                    if result.message_id is None:
                        failed += 1
                        _print_note(f"{result.line}not sent: {result.reason}")
                    else:
                        print(result.message_id)
                advance(len(batch))
        except Interrupted as fault:
            first, last = fault.lines[0].number, fault.lines[-1].number
            where = f"lines {first} to {last}: " if last > first else str(fault.lines[0])
            rest = "; nothing after it was sent" if count > 1 else ""
            _print_note(f"{where}not sent: {fault}{rest}")
            return FAILED
    return FAILED if failed else 0


def _print_some(number: int, text: str) -> None:
    if number <= MAX_SHOWN:
        _print_note(text)


def _print_note(text: str) -> None:
    print(f"sqsjkr-gevent: {one_line(text)}", file=sys.stderr)
