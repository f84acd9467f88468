"""`history`: shows how jobs ended, from the history file or from the running kicker."""

import click

from ...errors import SqsjkrError
from ...job import Outcome
from ...telemetry import Query
from ..loading import load_quietly
from ..output.show import print_json, print_note
from ..output.tables import print_table
from ..settings import Settings, conf_option
from .show import END_COLUMNS, moment, print_end, row
from .source import source

#: Default of --limit.
LIMIT = 50


@click.group(invoke_without_command=True)
@conf_option
@click.option("--event-id", metavar="ID", help="Only jobs with this event_id.")
@click.option("--job-id", metavar="ID", help="Only this job.")
@click.option(
    "--outcome",
    type=click.Choice([one.value for one in Outcome]),
    metavar="OUTCOME",
    help="Only this outcome: succeeded, errored, failed, duplicate, invalid or returned.",
)
@click.option(
    "--since", metavar="WHEN", help="Only ends after this time: 2h (ago), or 2026-11-24T10:00."
)
@click.option("--until", metavar="WHEN", help="Only ends before this time.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT,
    show_default=True,
    metavar="N",
    help="Show the newest N.",
)
@click.option("--json", "json_", is_flag=True, help="Print a JSON array.")
@click.pass_context
def command(
    context: click.Context,
    event_id: str | None,
    job_id: str | None,
    outcome: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    json_: bool,
) -> None:
    """Show how jobs ended, newest first.

    If [history] has a path, read that file, whether or not the kicker is running; otherwise ask the
    running kicker for what it has in memory.
    """
    if context.invoked_subcommand is not None:
        return
    query = Query(
        event_id=event_id,
        job_id=job_id,
        outcome=outcome,
        since=None if since is None else moment(since, "--since"),
        until=None if until is None else moment(until, "--until"),
        limit=limit,
    )
    ends = source(load_quietly(context.obj)).find(query)
    if json_:
        print_json(ends)
    elif ends:
        print_table(END_COLUMNS, map(row, ends))
    else:
        print_note("no matching jobs")


@command.command("show")
@conf_option
@click.argument("job_id", metavar="ID")
@click.option("--json", "json_", is_flag=True, help="Print a JSON array.")
@click.pass_obj
def show(settings: Settings, job_id: str, json_: bool) -> None:
    """Show all ends of the job ID, newest first, with its output.

    A job ends more than once if its message went back to the queue.
    """
    ends = source(load_quietly(settings)).of_job(job_id)
    if not ends:
        raise SqsjkrError(f"job {job_id} is not in the history")
    if json_:
        print_json(ends)
        return
    for number, end in enumerate(ends):
        if number:
            print()
        print_end(end)
