"""`init`: creates what the config names, or writes a sample config if there is none."""

from importlib.resources import files
from pathlib import Path

import click

from ..aws import make_session
from ..aws.provision import MAX_RECEIVE_COUNT, steps
from ..errors import ConfigError
from .clients import client
from .loading import load_quietly
from .settings import Settings, conf_option

#: SQS accepts no more.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
MAX_RECEIVES = 1000


@click.command
@conf_option
@click.option("--dry-run", is_flag=True, help="Only show what would be created.")
@click.option(
    "--max-receive-count",
    type=click.IntRange(1, MAX_RECEIVES),
    default=MAX_RECEIVE_COUNT,
    show_default=True,
    metavar="N",
    help="Receives after which SQS moves a message to the dead-letter queue. Do not make it small: "
    "a job returned because a kicker stops, or its lock table is down, was also received.",
)
@click.pass_obj
def command(settings: Settings, dry_run: bool, max_receive_count: int) -> None:
    """Create the queue, its dead-letter queue, and the table for locks.

    What already exists is left unchanged. A table is created only if [locker] or [throttler] uses
    DynamoDB. If the config file is missing, a sample to fill in is written instead.
    """
    if not Path(settings.file).exists():
        _write_sample(Path(settings.file), dry_run)
    config = load_quietly(settings)
    session = make_session(config.account)
    sqs = client(session, config.account, "sqs")
    dynamodb = client(session, config.account, "dynamodb")
    for step in steps(config, sqs, dynamodb, max_receive_count):
        done = "exists" if step.exists else "would create" if dry_run else "created"
        if not step.exists and not dry_run:
            step.create()
        print(f"{done:<12}  {step.what}: {step.detail}", flush=True)


def _write_sample(path: Path, dry_run: bool) -> None:
    if dry_run:
        raise ConfigError(f"{path}: no such file; run without --dry-run to write a sample there")
    sample = (files("sqsjkr_gevent.config") / "sample.toml").read_text("utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(sample)
    except OSError as error:
        raise ConfigError(f"{path}: no such file, and cannot be written: {error}") from None
    raise ConfigError(
        f"{path}: no such file, so a sample was written there; set id, region and queue_name in "
        f"it, then run `init` again"
    )
