"""`history`: how jobs ended, from the history's file or from the running kicker."""

import click

from ...errors import SqsjkrError
from ...job import Outcome
from ...telemetry import Query
from ..loading import load_quietly
from ..output.show import print_json, tell
from ..output.tables import print_table
from ..settings import Settings, conf_option
from .show import END_COLUMNS, moment, print_end, row
from .source import source

#: Ends shown where no --limit is given.
LIMIT = 50


@click.group(invoke_without_command=True)
@conf_option
@click.option("--event-id", metavar="ID", help="Only of jobs with this event_id.")
@click.option("--job-id", metavar="ID", help="Only of this job.")
@click.option(
    "--outcome",
    type=click.Choice([one.value for one in Outcome]),
    metavar="OUTCOME",
    help="Only with this outcome: succeeded, errored, failed, duplicate, invalid or returned.",
)
@click.option("--since", metavar="WHEN", help="Only those after it: 2h ago, or 2026-11-24T10:00.")
@click.option("--until", metavar="WHEN", help="Only those before it.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, metavar="N")
@click.option("--json", "json_", is_flag=True, help="A JSON array.")
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
    """Show how jobs ended, the newest first.

    Where [history] has a path it is read from there, be the kicker up or down; else the running
    kicker is asked for what it has in memory.
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
        tell("no such end of a job is known")


@command.command("show")
@conf_option
@click.argument("job_id", metavar="ID")
@click.option("--json", "json_", is_flag=True, help="A JSON array.")
@click.pass_obj
def show(settings: Settings, job_id: str, json_: bool) -> None:
    """Show all ends of the job ID, the newest first, with what it printed.

    A job ends more than once where its message went back to the queue.
    """
    ends = source(load_quietly(settings)).of_job(job_id)
    if not ends:
        raise SqsjkrError(f"no end of a job {job_id} is known")
    if json_:
        print_json(ends)
        return
    for number, end in enumerate(ends):
        if number:
            print()
        print_end(end)
