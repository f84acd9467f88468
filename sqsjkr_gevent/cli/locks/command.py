"""`locks`: who holds which lock, and giving one back for somebody who cannot."""

import sys

import click

from ...aws import make_session, nobody
from ...config import Config
from ...duration import format_duration
from ...errors import ConfigError, SqsjkrError
from ...stores import Checked, Holder, ListedLocker, ListedThrottler, Stores, is_custom
from ...stores.none import NEVER_LOCKED
from ..loading import load_quietly
from ..output.show import print_json, safe, tell
from ..output.tables import print_table
from ..settings import Settings, conf_option
from .lapsed import Left, end_lapsed, jobs_of_ours, locks_of_ours
from .show import HOLDER_COLUMNS, as_json, consequence, progress, question, row, say_who
from .watch import check_same, watch_lapse


@click.group(invoke_without_command=True)
@conf_option
@click.option("--json", "json_", is_flag=True, help="A JSON array.")
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Show who holds which lock, oldest first.

    With DynamoDB it reads the whole table, for no index has the rows of held locks.
    """
    if context.invoked_subcommand is not None:
        return
    config = load_quietly(context.obj)
    held: list[Holder] = []
    if config.locker.backend != "none":
        held = sorted(_locker(config).holders(), key=lambda one: (one.locked_at or 0, one.lock_id))
    if json_:
        print_json([as_json(one) for one in held])
    elif held:
        print_table(HOLDER_COLUMNS, map(row, held))
    elif config.locker.backend == "none":
        tell(NEVER_LOCKED)
    else:
        tell("no lock is held")


@command.command("release")
@conf_option
@click.argument("lock_id", metavar="[ID]", required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Release it even where its holder is alive.")
@click.option(
    "--ours-lapsed",
    is_flag=True,
    help="All locks and jobs of kickers that are gone, as before going back to sqsjkr.",
)
@click.pass_obj
def release(
    settings: Settings, lock_id: str | None, yes: bool, force: bool, ours_lapsed: bool
) -> None:
    """Give back the lock ID of a holder that is gone.

    A holder that renews its lease is alive, and its lock is not released: to see that may take as
    long as the lease. --force releases it all the same; its job is killed then.

    With --ours-lapsed, in place of an ID, all locks are given back that kickers of sqsjkr-gevent
    left behind, and the jobs that they had in progress are forgotten, so that sqsjkr runs them.
    """
    if (lock_id is None) != ours_lapsed or (ours_lapsed and force):
        raise click.UsageError("Name one lock by its ID, or use --ours-lapsed alone.")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: use --yes.")
    config = load_quietly(settings)
    if lock_id is None:
        _release_lapsed(config, yes)
    else:
        _release_one(_locker(config), lock_id, yes, force)


def _release_one(locker: ListedLocker, lock_id: str, yes: bool, force: bool) -> None:
    holder = locker.holder(lock_id)
    if holder is None:
        raise SqsjkrError(f"lock {lock_id!r} is not held")
    say_who(holder)
    if not yes:
        click.confirm(question(holder, force), abort=True, err=True)
    if holder.lease is not None and not force:
        with progress() as told:
            if not watch_lapse(locker, holder, told):
                print(f"lock {lock_id!r} was given back meanwhile")
                return
    if not locker.evict(holder, force=force):
        check_same(holder, locker.holder(lock_id) or holder)
        raise SqsjkrError(f"lock {lock_id!r} changed while it was looked at: try again")
    print(f"lock {lock_id!r} is released{consequence(holder, force)}")


def _release_lapsed(config: Config, yes: bool) -> None:
    left: list[Left] = []
    if config.locker.backend != "none":
        left += locks_of_ours(_locker(config))
    throttler = Stores(config, make_session(config.account), nobody).throttler(0.0)
    if isinstance(throttler, ListedThrottler):
        left += jobs_of_ours(throttler)
    if not left:
        tell("no kicker of ours holds a lock or has a job in progress")
        return
    for one in left:
        tell(f"{one.what}: of {one.owner}, lease {format_duration(one.lease)}")
    if not yes:
        click.confirm("Release those that nobody renews within a lease?", abort=True, err=True)
    ended = 0
    with progress() as told:
        for one, gone in end_lapsed(left, told):
            ended += gone
            if gone:
                print(safe(f"{one.what} {one.ended}"))
            else:
                tell(f"{one.what}: {one.owner} lives, or has ended it by now: left alone")
    print(f"{ended} of {len(left)} ended")


def _locker(config: Config) -> ListedLocker:
    section = config.locker
    stores = Stores(config, make_session(config.account), nobody)
    if not is_custom(section.backend):
        stores.backend(section.backend).check_visible()
    locker = stores.locker()
    if not isinstance(locker, ListedLocker):
        raise ConfigError(
            f"the backend of [locker] is {section.backend}, which does not say who holds its "
            f"locks: it has not all of holders, holder and evict"
        )
    if isinstance(locker, Checked):
        locker.check()
    return locker
