"""`locks`: shows who holds which lock, and releases locks of holders that are gone."""

import sys

import click

from ...aws import all_unobserved, make_session
from ...config import Config
from ...duration import format_duration
from ...errors import ConfigError, SqsjkrError
from ...stores import Checked, Holder, ListedLocker, ListedThrottler, Stores, is_custom
from ...stores.none import NO_LOCKS
from ..loading import load_quietly
from ..output.show import print_json, print_note, safe
from ..output.tables import print_table
from ..settings import Settings, conf_option
from .lapsed import Leftover, free_lapsed, leased_locks, running_jobs
from .show import HOLDER_COLUMNS, as_json, consequence, print_holder, progress, question, row
from .watch import check_same, watch_lapse


@click.group(invoke_without_command=True)
@conf_option
@click.option("--json", "json_", is_flag=True, help="A JSON array.")
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Show who holds which lock, oldest first.

    With DynamoDB, it scans the whole table, since no index contains the held locks.
    """
    if context.invoked_subcommand is not None:
        return
    config = load_quietly(context.obj)
    holders: list[Holder] = []
    if config.locker.backend != "none":
        found = _make_locker(config).holders()
        holders = sorted(found, key=lambda holder: (holder.locked_at or 0, holder.lock_id))
    if json_:
        print_json([as_json(holder) for holder in holders])
    elif holders:
        print_table(HOLDER_COLUMNS, map(row, holders))
    elif config.locker.backend == "none":
        print_note(NO_LOCKS)
    else:
        print_note("no lock is held")


@command.command("release")
@conf_option
@click.argument("lock_id", metavar="[ID]", required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Release it even if its holder is alive.")
@click.option(
    "--ours-lapsed",
    is_flag=True,
    help="Release all locks and jobs of kickers that are gone, before you go back to sqsjkr.",
)
@click.pass_obj
def release(
    settings: Settings, lock_id: str | None, yes: bool, force: bool, ours_lapsed: bool
) -> None:
    """Release the lock ID if its holder is gone.

    A holder that renews its lease is alive, and its lock is not released; the check takes up to
    one lease. --force releases the lock anyway, and its job is killed.

    With --ours-lapsed instead of an ID, release all locks left by sqsjkr-gevent kickers that are
    gone, and forget the jobs they had in progress, so that sqsjkr runs them.
    """
    if (lock_id is None) != ours_lapsed or (ours_lapsed and force):
        raise click.UsageError("Give the ID of a lock, or only --ours-lapsed.")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Cannot ask for confirmation without a terminal: use --yes.")
    config = load_quietly(settings)
    if lock_id is None:
        _release_lapsed(config, yes)
    else:
        _release_one(_make_locker(config), lock_id, yes, force)


def _release_one(locker: ListedLocker, lock_id: str, yes: bool, force: bool) -> None:
    holder = locker.holder(lock_id)
    if holder is None:
        raise SqsjkrError(f"lock {lock_id!r} is not held")
    print_holder(holder)
    if not yes:
        click.confirm(question(holder, force), abort=True, err=True)
    if holder.lease is not None and not force:
        with progress() as show_remaining:
            if not watch_lapse(locker, holder, show_remaining):
                print(f"lock {lock_id!r} has been released by its holder")
                return
    if not locker.evict(holder, force=force):
        check_same(holder, locker.holder(lock_id) or holder)
        raise SqsjkrError(f"lock {lock_id!r} changed in the meantime: try again")
    print(f"lock {lock_id!r} is released{consequence(holder, force)}")


def _release_lapsed(config: Config, yes: bool) -> None:
    leftovers: list[Leftover] = []
    if config.locker.backend != "none":
        leftovers += leased_locks(_make_locker(config))
    throttler = Stores(config, make_session(config.account), all_unobserved).throttler(0.0)
    if isinstance(throttler, ListedThrottler):
        leftovers += running_jobs(throttler)
    if not leftovers:
        print_note("no sqsjkr-gevent kicker holds a lock or has a job in progress")
        return
    for one in leftovers:
        print_note(f"{one.what}: held by {one.owner}, lease {format_duration(one.lease)}")
    if not yes:
        click.confirm("Release those that are not renewed within a lease?", abort=True, err=True)
    count = 0
    with progress() as show_remaining:
        for one, is_free in free_lapsed(leftovers, show_remaining):
            count += is_free
            if is_free:
                print(safe(f"{one.what} {one.freed_text}"))
            else:
                print_note(f"{one.what}: {one.owner} is alive or has finished: left alone")
    print(f"{count} of {len(leftovers)} released")


def _make_locker(config: Config) -> ListedLocker:
    section = config.locker
    stores = Stores(config, make_session(config.account), all_unobserved)
    if not is_custom(section.backend):
        stores.backend(section.backend).check_visible()
    locker = stores.locker()
    if not isinstance(locker, ListedLocker):
        raise ConfigError(
            f"the backend of [locker] is {section.backend}, which cannot list its locks: it lacks "
            f"one of the methods holders, holder and evict"
        )
    if isinstance(locker, Checked):
        locker.check()
    return locker
