"""`dlq`: shows, redrives and deletes messages of the dead-letter queue."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from ...aws.dead_letter import DeadLetter
from ...aws.dead_letters import DeadLetters
from ...aws.sqs import MAX_BATCH
from ...errors import SqsjkrError
from ..failing import FAILED
from ..loading import load_quietly
from ..output.progress import progress_bar
from ..output.show import print_json, print_note
from ..output.tables import print_table
from ..settings import Settings, conf_option
from .queues import Queues, find
from .show import LETTER_COLUMNS, as_json, print_letter, row

#: Default of --limit.
LIMIT = 100

ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")


@click.group(invoke_without_command=True)
@conf_option
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT,
    show_default=True,
    metavar="N",
    help="Show up to N messages.",
)
@click.option("--json", "json_", is_flag=True, help="Print a JSON array, with full commands.")
@click.pass_context
def command(context: click.Context, limit: int, json_: bool) -> None:
    """Show the messages of the dead-letter queue, and why they are there.

    SQS has no peek: each message is received, and returned at the end. This counts as a receive,
    and meanwhile, for at most 30 seconds, the message is invisible to others.
    """
    if context.invoked_subcommand is not None:
        return
    queues = _find(context.obj)
    with _open(queues) as dead:
        found = [one for batch in dead.batches(limit) for one in batch]
        more = dead.count() if len(found) == limit else 0
    if json_:
        print_json([as_json(one, queues.receives, whole=False) for one in found])
    elif found:
        print_table(LETTER_COLUMNS, [row(one, queues.receives) for one in found])
    else:
        print_note("the dead-letter queue is empty")
    if more:
        print_note(f"there are about {more} more: use --limit")


@command.command("show")
@conf_option
@click.argument("id_", metavar="ID")
@click.option("--json", "json_", is_flag=True, help="Print a JSON object.")
@click.pass_obj
def show(settings: Settings, id_: str, json_: bool) -> None:
    """Show the message ID with its attributes and body."""
    queues = _find(settings)
    with _open(queues) as dead:
        found = next(_chosen(dead, {id_}), [])
    if not found:
        raise SqsjkrError(f"message {id_} is not in the dead-letter queue")
    if json_:
        print_json(as_json(found[0], queues.receives, whole=True))
    else:
        print_letter(found[0], queues.receives)


@command.command("redrive")
@conf_option
@ids_argument
@click.option("--all", "all_", is_flag=True, help="All messages.")
@click.pass_obj
def redrive(settings: Settings, ids: tuple[str, ...], all_: bool) -> int:
    """Send the messages with these IDs to the queue again, then delete them here.

    Their life_time starts again. If the command is killed in between, a message is in both queues.
    """
    _check_choice(ids, all_)
    queues = _find(settings)
    with _open(queues) as dead:
        return _process(dead, ids, lambda some: dead.send_on(queues.url, some), "redriven")


@command.command("delete")
@conf_option
@ids_argument
@click.option("--all", "all_", is_flag=True, help="All messages.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(settings: Settings, ids: tuple[str, ...], all_: bool, yes: bool) -> int:
    """Delete the messages with these IDs for good."""
    _check_choice(ids, all_)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Cannot ask for confirmation without a terminal: use --yes.")
    queues = _find(settings)
    if not yes:
        count = len(ids) or f"all (about {queues.dead_letters().count()})"
        click.confirm(f"Delete {count} for good?", abort=True, err=True)
    with _open(queues) as dead:
        return _process(dead, ids, dead.delete, "deleted")


def _find(settings: Settings) -> Queues:
    return find(load_quietly(settings))


@contextmanager
def _open(queues: Queues) -> Iterator[DeadLetters]:
    """Open the dead-letter queue. Ctrl-C stops between two calls and leaves no message invisible.

    A second Ctrl-C stops at once.
    """
    interrupted: list[int] = []

    def interrupt(number: int, _: object) -> None:
        interrupted.append(number)
        dead.stop()
        signal.signal(signal.SIGINT, before)

    with queues.dead_letters() as dead:
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield dead
        finally:
            signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt


def _check_choice(ids: Sequence[str], all_: bool) -> None:
    if bool(ids) == all_:
        raise click.UsageError("Give the IDs of messages, or only --all.")


def _process(
    dead: DeadLetters,
    ids: Sequence[str],
    work: Callable[[list[DeadLetter]], dict[str, str]],
    done: str,
) -> int:
    """Process the chosen messages, and print how many. Returns the exit code.

    ids: empty for all messages. work: returns the reasons for the ids that failed. done: the verb.
    """
    wanted = set(ids)
    good = bad = 0
    try:
        with progress_bar(len(ids) or dead.count(), hidden_up_to=MAX_BATCH, what=done) as advance:
            for batch in _chosen(dead, wanted) if ids else dead.batches():
                failed = work(batch)
                good += len(batch) - len(failed)
                bad += len(failed)
                for one, reason in failed.items():
                    print_note(f"{one}: not {done}: {reason}")
                advance(len(batch))
    finally:
        print(f"{good} {done}" + (f", {bad} not" if bad else ""))
    for one in sorted(wanted if not dead.stopped else ()):
        print_note(f"{one}: not in the dead-letter queue")
    return FAILED if bad or wanted else 0


def _chosen(dead: DeadLetters, wanted: set[str]) -> Iterator[list[DeadLetter]]:
    """The messages with one of these ids or original ids. Removes found ids from `wanted`."""
    for batch in dead.batches():
        found = [one for one in batch if {one.id, one.original_id} & wanted]
        for one in found:
            wanted -= {one.id, one.original_id}
        if found:
            yield found
        if not wanted:
            return
