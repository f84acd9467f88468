"""`locks`: who holds which lock, and giving one back for somebody who cannot."""

import sys
from pathlib import Path

import click

from ..aws.client import make_session, unobserved
from ..config import Config
from ..errors import ConfigError, SqsjkrError, StartError
from ..locker import Holder, ListedLocker
from ..stores import Checked, Stores
from .loading import load_quietly
from .lock_show import HOLDER_COLUMNS, as_json, consequence, progress, question, row, say_who
from .lock_watch import check_same, watch_lapse
from .settings import Settings, conf_option
from .show import print_json, tell
from .tables import print_table

_NEVER = "no job is ever locked: the backend of [locker] is none"


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
        tell(_NEVER)
    else:
        tell("no lock is held")


@command.command("release")
@conf_option
@click.argument("lock_id", metavar="ID")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Release it even where its holder is alive.")
@click.pass_obj
def release(settings: Settings, lock_id: str, yes: bool, force: bool) -> None:
    """Give back the lock ID of a holder that is gone.

    A holder that renews its lease is alive, and its lock is not released: to see that may take as
    long as the lease. --force releases it all the same; its job is killed then.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: use --yes.")
    locker = _locker(load_quietly(settings))
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


def _locker(config: Config) -> ListedLocker:
    section = config.locker
    if section.backend == "none":
        raise ConfigError(_NEVER)
    if section.backend == "memory":
        raise ConfigError(
            "the backend of [locker] is memory: these locks live in the kicker's process; see "
            "`sqsjkr-gevent status`"
        )
    if section.backend == "sqlite" and not Path(section.table).exists():
        raise StartError(f"{Path(section.table).absolute()} is not there: no kicker has used it")
    stores = Stores(config, make_session(config.account), unobserved)
    locker = stores.locker()
    if not isinstance(locker, ListedLocker):
        raise ConfigError(
            f"the backend of [locker] is {section.backend}, which does not say who holds its "
            f"locks: it has not all of holders, holder and evict"
        )
    if isinstance(locker, Checked):
        locker.check()
    return locker
