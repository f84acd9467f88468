"""`check` and `init` against real servers."""

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from kickers import DEADLINE, settings, toml
from proxy import Proxy
from sqsjkr_gevent.aws.rights import DEAD_LETTER_RIGHTS, QUEUE_RIGHTS, TABLE_RIGHTS

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]


@pytest.fixture
def run(aws: Any, tmp_path: Path) -> Any:
    """Run a subcommand to its end with a config, and say what it said."""

    def run(config: dict[str, Any], *arguments: object, **environ: str) -> Any:
        conf = tmp_path / "conf.toml"
        conf.write_text(toml(config))
        return subprocess.run(
            [*COMMAND, "-c", str(conf), *map(str, arguments)],
            env={**os.environ, **aws.env, **environ},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    return run


@pytest.fixture
def fresh(aws: Any) -> Any:
    """A config that names a queue and a table that nobody has."""
    name = f"fresh-{uuid.uuid4().hex[:8]}"
    return settings(aws, type("Q", (), {"name": name}), type("T", (), {"name": name}))


def levels(done: Any) -> dict[str, str]:
    """What `check` printed: thing to level."""
    return {line[6:].split(":")[0]: line[:4].strip() for line in done.stdout.splitlines()}


@pytest.mark.servers("ministack", "moto", slow=["moto"])
@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_init_creates_what_check_asks_for(aws: Any, run: Any, fresh: Any, suffix: str) -> None:
    """And a second time it creates nothing."""
    table = fresh["locker"]["table"]
    fresh["sqs"]["queue_name"] = table + suffix
    done = run(fresh, "init", "--max-receive-count", 30)
    assert (0, "") == (done.returncode, done.stderr)
    assert ["created"] * 3 == [line.split()[0] for line in done.stdout.splitlines()]

    checked = run(fresh, "check")
    found = levels(checked)
    # moto does not know statements, and the kicker can do without.
    known = {
        what: level
        for what, level in found.items()
        if aws.server.name != "moto" or not what.startswith("PartiQL")
    }
    assert (0, {"ok"}) == (checked.returncode, set(known.values())), checked.stdout
    assert {"ok"} | ({"warn"} if known != found else set()) == set(found.values())

    url = aws.sqs.get_queue_url(QueueName=table + suffix)["QueueUrl"]
    got = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(got["RedrivePolicy"])
    assert ("30", "30") == (got["VisibilityTimeout"], str(redrive["maxReceiveCount"]))
    assert redrive["deadLetterTargetArn"].endswith(f":{table}-dlq{suffix}")

    again = run(fresh, "init")
    assert 0 == again.returncode
    assert ["exists"] * 2 == [line.split()[0] for line in again.stdout.splitlines()]


def test_the_table_is_sqsjkrs(aws: Any, run: Any, fresh: Any) -> None:
    """sqsjkr hosts share it in a migration."""
    assert 0 == run(fresh, "init").returncode
    name = fresh["locker"]["table"]
    table = aws.dynamodb.describe_table(TableName=name)["Table"]

    def keys(schema: Any) -> Any:
        return {one["AttributeName"]: one["KeyType"] for one in schema}

    index = table["GlobalSecondaryIndexes"][0]
    assert {"Id": "HASH", "Type": "RANGE"} == keys(table["KeySchema"])
    assert "TypeExpiredIndex" == index["IndexName"]
    assert {"Type": "HASH", "Expired": "RANGE"} == keys(index["KeySchema"])
    assert "PAY_PER_REQUEST" == table["BillingModeSummary"]["BillingMode"]
    ttl = aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert ("ENABLED", "Expired") == (ttl["TimeToLiveStatus"], ttl["AttributeName"])


def test_a_dry_run_creates_nothing(run: Any, fresh: Any) -> None:
    """It says what a run would."""
    for _ in range(2):
        done = run(fresh, "init", "--dry-run")
        assert 0 == done.returncode
        assert 3 == done.stdout.count("would create")


def test_init_creates_only_what_the_config_uses(run: Any, fresh: Any, aws: Any) -> None:
    """No table for other backends, each table once, the dead-letter queue by its own name."""
    dead = f"dead-{uuid.uuid4().hex[:8]}"
    fresh["sqs"]["dead_letter_queue"] = dead
    fresh["locker"]["backend"] = "none"
    fresh["throttler"]["backend"] = "memory"
    done = run(fresh, "init")
    assert 0 == done.returncode
    assert ["created", "created"] == [line.split()[0] for line in done.stdout.splitlines()]
    assert dead in done.stdout
    checked = run(fresh, "check")
    assert "ok    locker: backend 'none' needs no store" in checked.stdout.splitlines()
    assert 0 == checked.returncode


def test_a_queue_that_is_there_is_left_as_it_is(run: Any, aws: Any, queue: Any) -> None:
    """Its users may rely on it; check says what is missing."""
    config = settings(aws, queue)
    done = run(config, "init")
    assert 0 == done.returncode
    assert 1 == len(done.stdout.splitlines())
    assert "without a dead-letter queue" in done.stdout
    checked = run(config, "check")
    assert 0 == checked.returncode
    assert "warn" == levels(checked)["dead-letter queue"]


def test_init_says_when_the_credentials_are_of_another_account(run: Any, fresh: Any) -> None:
    """Else the queue is in the one, and looked for in the other."""
    fresh["account"]["id"] = "210987654321"
    done = run(fresh, "init")
    assert 1 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "account.id is 210987654321" in done.stderr


def test_init_writes_a_sample_where_no_config_is(tmp_path: Path) -> None:
    """It is to be filled in first, so nothing is created, and the exit code is 2."""
    command = [*COMMAND, "-c", "new.toml", "init"]
    for arguments, written in ((["--dry-run"], False), ([], True)):
        done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert (2, written) == (done.returncode, (tmp_path / "new.toml").exists())
        assert 1 == len(done.stderr.splitlines())
    assert "kill_over_life_time = true" in (tmp_path / "new.toml").read_text()


def test_check_says_what_is_missing_and_what_creates_it(run: Any, fresh: Any) -> None:
    """All of it at once, not one after the other."""
    done = run(fresh, "check")
    name = fresh["locker"]["table"]
    assert 1 == done.returncode
    assert {f"queue '{name}'", f"table '{name}'"} == {
        what for what, level in levels(done).items() if level == "FAIL"
    }
    assert 2 == done.stdout.count("`sqsjkr-gevent init`")


@pytest.mark.queue(max_receive_count=2)
def test_check_warns_of_what_will_surprise(run: Any, aws: Any, queue: Any) -> None:
    """These work, until one day they don't."""
    config = settings(
        aws,
        queue,
        kicker={"shutdown_timeout": 0, "kill_grace": "10s"},
        sqs={"visibility_timeout": 10},
        throttler={"retention": "60s"},
    )
    done = run(config, "check")
    assert 0 == done.returncode
    expected = {
        "kicker.shutdown_timeout",
        "sqs.visibility_timeout",
        "throttler.retention",
        "maxReceiveCount",
        f"dead-letter queue '{queue.dead_letters.name}'",
    }
    assert expected == {what for what, level in levels(done).items() if level == "warn"}


def test_check_sees_a_table_of_another_shape(run: Any, aws: Any, queue: Any, table: Any) -> None:
    """As when --lock-table names somebody else's."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    aws.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "Type", "KeyType": "HASH"},
            {"AttributeName": "Id", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "Id", "AttributeType": "S"},
            {"AttributeName": "Type", "AttributeType": "S"},
        ],
    )
    config = settings(aws, queue, table, throttler={"table": name})
    done = run(config, "check")
    assert 1 == done.returncode
    assert ("ok", "FAIL") == (
        levels(done)[f"table '{table.name}'"],
        levels(done)[f"table '{name}'"],
    )


def test_check_tries_a_custom_backend(run: Any, aws: Any, queue: Any) -> None:
    """A slip in its name shows before the kicker is started."""
    config = settings(aws, queue, locker={"backend": "collections:OrderedDic"})
    done = run(config, "check")
    assert (1, "FAIL") == (done.returncode, levels(done)["stores"])
    assert "OrderedDic" in done.stdout


def test_check_tells_credentials_by_their_source_and_never_shows_them(
    run: Any, aws: Any, queue: Any, tmp_path: Path
) -> None:
    """Its output goes into tickets."""
    file = tmp_path / "credentials"
    file.write_text("[p]\naws_access_key_id = AKIAFROMFILE\naws_secret_access_key = hidden\n")
    config = settings(aws, queue, account={"profile": "p"})
    done = run(config, "check", AWS_SHARED_CREDENTIALS_FILE=str(file))
    assert "ok    credentials: from shared-credentials-file, profile 'p'" in done.stdout
    assert "hidden" not in done.stdout + done.stderr
    assert "AKIAFROMFILE" not in done.stdout + done.stderr

    none = run(settings(aws, queue), "check", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert 1 == none.returncode
    assert "FAIL" == levels(none)["credentials"]


def test_check_knows_a_running_kicker_from_a_stranger(
    run: Any, aws: Any, queue: Any, kick: Any, tmp_path: Path
) -> None:
    """It is run on hosts where the kicker runs, and on those where something else took the port."""
    kicker = kick(settings(aws, queue)).started()
    port = int(kicker.url.rsplit(":", 1)[1])
    config = settings(aws, queue, kicker={"stats_port": port})
    assert "warn" == levels(run(config, "check"))["stats"]
    assert 0 == kicker.stop(signal.SIGTERM)
    assert "ok" == levels(run(config, "check"))["stats"]
    with socket.create_server(("127.0.0.1", port)):
        done = run(config, "check")
    assert (1, "FAIL") == (done.returncode, levels(done)["stats"])

    path = tmp_path / "stats.sock"
    over_socket = settings(aws, queue, kicker={"stats_socket": str(path)})
    over_socket["kicker"].pop("stats_port")
    assert "ok" == levels(run(over_socket, "check"))["stats"]
    kicker = kick(over_socket).started()
    assert "warn" == levels(run(over_socket, "check"))["stats"]


def test_check_looks_at_who_can_reach_the_page_and_where_ends_are_kept(
    aws: Any, run: Any, queue: Any, tmp_path: Path
) -> None:
    """What would be warned of, or end the start, is told before; and nothing is created."""
    config = settings(aws, queue)
    config["kicker"]["stats_host"] = "0.0.0.0"
    config["history"] = {"path": str(tmp_path / "ends.db")}
    done = run(config, "check")
    assert {"stats access": "warn", "history": "ok"}.items() <= levels(done).items()
    assert "kicker.stats_token" in done.stdout
    assert not (tmp_path / "ends.db").exists()
    config["kicker"]["stats_token"] = "a-long-secret"
    config["history"] = {"path": str(tmp_path / "missing" / "ends.db")}
    done = run(config, "check")
    assert "stats access" not in levels(done)
    assert ("FAIL", 1) == (levels(done)["history"], done.returncode)
    assert "a-long-secret" not in done.stdout


def test_check_warns_of_too_few_descriptors(aws: Any, queue: Any, tmp_path: Path) -> None:
    """By the limit that it has itself."""
    conf = tmp_path / "conf.toml"
    conf.write_text(toml(settings(aws, queue, kicker={"max_concurrent_num": 200})))
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *COMMAND, "-c", str(conf), "check"],
        env={**os.environ, **aws.env},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert "warn" == levels(done)["open files"], done.stderr
    assert 0 == done.returncode


def test_check_says_of_each_permission_what_its_lack_costs(
    aws: Any, run: Any, make_queue: Any, table: Any
) -> None:
    """All of them in one go; a policy is seldom in the hands of whoever starts the kicker."""
    queue = make_queue(max_receive_count=20)
    config = settings(aws, queue, table, sqs={"dead_letter_queue": queue.dead_letters.name})
    allowed = run(config, "check")
    of_queue, of_dead = f"queue '{queue.name}'", f"dead-letter queue '{queue.dead_letters.name}'"
    of_table = f"table '{table.name}'"
    expected = {
        **{f"{one.action.partition(':')[2]} on {of_queue}": one for one in QUEUE_RIGHTS},
        **{f"{one.action.partition(':')[2]} on {of_dead}": one for one in DEAD_LETTER_RIGHTS},
        **{f"{one.action.partition(':')[2]} on {of_table}": one for one in TABLE_RIGHTS},
    }
    assert {"ok"} == {levels(allowed).get(what) for what in expected}
    assert [] == table.rows()
    assert queue.is_empty()
    assert queue.dead_letters.is_empty()

    proxy = Proxy(aws.server.port).start()
    try:
        for one in expected.values():
            if one.operation is not None:
                proxy.fail(one.operation.title().replace("_", ""), "403")
        config["account"]["endpoint_url"] = proxy.url
        denied = run(config, "check")
    finally:
        proxy.stop()
    assert 1 == denied.returncode
    assert "" == denied.stderr
    for what, one in expected.items():
        if one.operation is None:
            assert "ok" == levels(denied)[what]
            continue
        level = "FAIL" if one.needed else "warn"
        assert f"{level}  {what}: denied, so {one.lack}: allow {one.action}" in denied.stdout
    assert "does not exist" not in denied.stdout
