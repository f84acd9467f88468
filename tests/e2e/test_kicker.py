"""The kicker as a user runs it, against a real server."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from kickers import settings
from waiting import eventually

#: Seconds for a thousand jobs on a loaded machine.
LONG = 240.0


def send_all(queue, bodies: list) -> list[str]:
    """Send texts or objects in batches of ten; their message ids in order."""
    ids = []
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(n), "MessageBody": body if isinstance(body, str) else json.dumps(body)}
            for n, body in enumerate(bodies[start : start + 10])
        ]
        answer = queue.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)
        by_number = {entry["Id"]: entry["MessageId"] for entry in answer["Successful"]}
        ids += [by_number[str(n)] for n in range(len(entries))]
    return ids


def lines_of(directory: Path) -> Counter:
    """How often each job of `mark` ran."""
    seen: Counter = Counter()
    for file in directory.glob("ran-*"):
        seen.update(file.read_text().split())
    return seen


def mixed(number: int, directory: Path) -> tuple[str, dict | str]:
    """A job of one of many kinds, and its outcome."""
    mark = f"echo {number} >> {directory}/ran-{number % 20}"
    kinds = [
        ("succeeded", {"command": mark}),
        ("succeeded", {"command": f"{mark}; echo $A", "envs": {"A": "b"}}),
        ("errored", {"command": f"{mark}; exit 3"}),
        ("errored", {"command": f"{mark}; kill -9 $$"}),
        ("succeeded", {"command": mark, "lock_id": f"lock-{number % 7}"}),
        ("succeeded", {"command": f"{mark}; head -c 200000 /dev/zero", "life_time": "1h"}),
        ("errored", {"command": f"{mark}; sleep 60", "timeout": "300ms"}),
        ("failed", {"command": mark, "life_time": -1, "disable_life_time_trigger": True}),
        ("failed", {"command": f"{mark} {'x' * 140_000}"}),
        ("invalid", f'{{"command": {number}}}'),
    ]
    return kinds[number % len(kinds)]


@pytest.mark.queue(max_receive_count=5)
@pytest.mark.parametrize(
    ("server", "count"), [("ministack", 1000), pytest.param("moto", 200, marks=pytest.mark.slow)]
)
def test_mixed_jobs_run_once_each_and_are_counted_as_they_ended(
    server, count, request, tmp_path, kick
):
    """Each job ran exactly once, the queue is empty, and the counters equal what was sent."""
    aws = request.getfixturevalue("aws")
    queue, table = request.getfixturevalue("queue"), request.getfixturevalue("table")
    sent = [mixed(number, tmp_path) for number in range(count)]
    send_all(queue, [body for _, body in sent])
    kicker = kick(settings(aws, queue, table))
    expected = Counter(outcome for outcome, _ in sent)
    eventually(queue.is_empty, deadline=LONG, every=0.5)
    counted = ("succeeded", "failed", "errored")
    eventually(lambda: {name: expected[name] for name in counted} == kicker.counters(), deadline=30)
    assert expected["invalid"] == queue.dead_letters.counts()["visible"]
    ran = {n for n, (outcome, _) in enumerate(sent) if outcome in ("succeeded", "errored")}
    assert {str(n): 1 for n in ran} == dict(lines_of(tmp_path))
    assert 0 == kicker.stop()


@pytest.mark.queue(max_receive_count=5)
def test_an_invalid_message_is_in_the_dead_letter_queue_with_its_reason(aws, queue, kick):
    """Its body and its own attributes are as they were sent."""
    attribute = {"a": {"DataType": "String", "StringValue": "b"}}
    job_id = queue.send('{"command": 5}', MessageAttributes=attribute)
    kick(settings(aws, queue))
    [message] = eventually(queue.dead_letters.receive, deadline=30)
    attributes = {name: a["StringValue"] for name, a in message["MessageAttributes"].items()}
    assert '{"command": 5}' == message["Body"]
    assert ("b", job_id) == (attributes["a"], attributes["SqsjkrMessageId"])
    assert attributes["SqsjkrReason"].startswith("command: expected")


def test_an_invalid_message_without_a_dead_letter_queue_stays_in_its_queue(aws, queue, kick):
    """It is neither lost nor received again and again."""
    queue.send("no JSON")
    kicker = kick(settings(aws, queue))
    said = kicker.says("invalid message stays in the queue, which has no dead-letter queue")
    assert ("no JSON", 60.0) == (said["body"], said["visible_in"])
    assert 0 == kicker.stop()
    assert {"visible": 0, "in_flight": 1, "delayed": 0} == queue.counts()


def test_a_job_longer_than_its_visibility_timeout_is_kept_and_runs_once(aws, queue, table, kick):
    """The keeper renews its visibility and its leases while it runs."""
    job = {"command": "sleep 8", "lock_id": "L"}
    queue.send(job)
    config = settings(aws, queue, table, sqs={"visibility_timeout": 5}, locker={"lease": "5s"})
    one, other = kick(config), kick(config)
    eventually(queue.is_empty, deadline=60)
    ended = [kicker.lines("job succeeded") for kicker in (one, other)]
    assert [0, 1] == sorted(map(len, ended))
    assert [] == one.lines("lease lost") + other.lines("lease lost")


def test_two_kickers_never_hold_one_lock_at_once(aws, queue, table, tmp_path, kick):
    """50 jobs of one lock_id write when they begin and end; no two of them overlap."""
    stamp = "date +%s.%N"
    # Few places and few that wait, so that neither can take all of the jobs.
    config = settings(aws, queue, table, kicker={"max_concurrent_num": 5, "max_waiting": 10})
    kickers = [kick(config).started(), kick(config).started()]
    for number in range(50):
        file = tmp_path / f"job-{number}"
        queue.send({"command": f"{stamp} > {file}; sleep 0.05; {stamp} >> {file}", "lock_id": "L"})
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    spans = sorted(
        tuple(map(float, (tmp_path / f"job-{number}").read_text().split())) for number in range(50)
    )
    overlaps = [(a, b) for a, b in pairwise(spans) if a[1] > b[0]]
    assert [] == overlaps
    assert 50 == sum(len(kicker.lines("job succeeded")) for kicker in kickers)
    # Which of them gets the lock how often is chance; that both wanted it is not.
    assert all(kicker.lines("waits for its lock") for kicker in kickers)


def test_fencing_tokens_of_a_lock_grow_with_each_holder(aws, queue, table, tmp_path, kick):
    """In the order in which the jobs ran, whichever kicker ran them."""
    for _ in range(20):
        queue.send({"command": f"echo $SQSJKR_LOCK_TOKEN >> {tmp_path}/tokens", "lock_id": "L"})
    config = settings(aws, queue, table)
    kick(config), kick(config)
    eventually(queue.is_empty, deadline=LONG)
    tokens = [int(line) for line in (tmp_path / "tokens").read_text().split()]
    assert (sorted(set(tokens)), 20) == (tokens, len(tokens))


def test_jobs_that_wait_for_a_lock_keep_no_slot(aws, queue, table, tmp_path, kick):
    """A kicker of two slots works on while five jobs wait for the lock of a sixth."""
    go = tmp_path / "go"
    queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done", "lock_id": "L"})
    kicker = kick(settings(aws, queue, table, kicker={"max_concurrent_num": 2}))
    kicker.says("job started")
    for _ in range(5):
        queue.send({"command": "true", "lock_id": "L"})
    kicker.says("waits for its lock", count=5)
    for _ in range(10):
        queue.send({"command": "true"})
    kicker.says("job succeeded", count=10)
    assert b'{"idle_worker":1,"busy_worker":1}\n' == kicker.get("/stats/metrics")
    go.touch()
    eventually(queue.is_empty, deadline=60)
    kicker.says("job succeeded", count=16)


def test_waiters_of_one_kicker_start_in_the_order_of_their_arrival(
    aws, queue, table, tmp_path, kick
):
    """First come, first served."""
    go = tmp_path / "go"
    queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done", "lock_id": "L"})
    kicker = kick(settings(aws, queue, table))
    kicker.says("job started")
    for number in range(8):
        queue.send({"command": f"echo {number} >> {tmp_path}/order", "lock_id": "L"})
        kicker.says("waits for its lock", count=number + 1)
    go.touch()
    eventually(queue.is_empty, deadline=60)
    assert [str(n) for n in range(8)] == (tmp_path / "order").read_text().split()


def test_abort_if_locked_gives_up_at_once(aws, queue, table, tmp_path, kick):
    """In the lock's own kicker and in another one; the job counts as failed and is deleted."""
    go = tmp_path / "go"
    queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done", "lock_id": "L"})
    config = settings(aws, queue, table, kicker={"max_concurrent_num": 1})
    holder = kick(config)
    holder.says("job started")
    other = kick(config).started()
    queue.send({"command": "true", "lock_id": "L", "abort_if_locked": True})
    other.says("job failed")
    eventually(lambda: {"succeeded": 0, "failed": 1, "errored": 0} == other.counters())
    assert 0 == other.stop()
    go.touch()
    eventually(queue.is_empty, deadline=60)


def test_a_second_delivery_of_a_done_message_is_deleted_unrun(aws, queue, table, kick):
    """The throttler knows it; it counts nowhere, as with sqsjkr."""
    job_id = queue.send({"command": "true"})
    table.dynamodb.update_item(
        TableName=table.name,
        Key={"Id": {"S": job_id}, "Type": {"S": "throttle"}},
        UpdateExpression="SET Expired = :e",
        ExpressionAttributeValues={":e": {"N": "4102444800"}},
    )
    kicker = kick(settings(aws, queue, table))
    kicker.says("job duplicate")
    eventually(queue.is_empty)
    assert {"succeeded": 0, "failed": 0, "errored": 0} == kicker.counters()


def test_at_most_once_deletes_before_the_command_starts(aws, queue, table, tmp_path, kick):
    """While the job runs its message is gone already, and its row says done."""
    go = tmp_path / "go"
    job_id = queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done"})
    kicker = kick(settings(aws, queue, table, sqs={"delivery": "at_most_once"}))
    kicker.says("job started")
    assert queue.is_empty()
    assert "done" == table.row(job_id, "throttle")["Status"]["S"]
    go.touch()
    kicker.says("job succeeded")


def test_rows_in_the_table_are_sqsjkrs_with_ours_beside(aws, queue, table, tmp_path, kick):
    """EventId while the lock is held and only then; Expired from the start of the job on."""
    go = tmp_path / "go"
    command = f"until [ -e {go} ]; do sleep 0.05; done"
    job_id = queue.send({"command": command, "lock_id": "L", "event_id": "ev"})
    kicker = kick(settings(aws, queue, table))
    kicker.says("job started")
    lock, throttle = table.row("L", "lock"), table.row(job_id, "throttle")
    assert {"S": "ev"} == lock["EventId"]
    assert {"Owner", "Version", "Lease", "Token"} <= lock.keys()
    assert ({"S": "running"}, lock["Owner"]) == (throttle["Status"], throttle["Owner"])
    assert "N" in throttle["Expired"]
    go.touch()
    eventually(queue.is_empty, deadline=30)
    lock, throttle = table.row("L", "lock"), table.row(job_id, "throttle")
    assert {"Id", "Type", "Token", "Expired"} == lock.keys()
    assert {"S": "done"} == throttle["Status"]


def test_a_gibibyte_of_output_costs_no_memory(aws, queue, kick):
    """The kicker's memory grows by less than 10 MiB."""
    kicker = kick(settings(aws, queue))
    queue.send({"command": "head -c 2000000 /dev/zero"})
    kicker.says("job succeeded")
    process = psutil.Process(kicker.pid)
    before = process.memory_info().rss
    queue.send({"command": "head -c 1073741824 /dev/zero; echo end"})
    peak = before

    def done() -> bool:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        return len(kicker.lines("job succeeded")) == 2

    eventually(done, deadline=120)
    output = kicker.lines("job succeeded")[-1]["output"]
    assert f"[... {1073741824 + 4 - 65536} bytes left out ...]" in output
    assert output.endswith("end\n")
    assert peak - before < 10 * 1024 * 1024


def test_environment_of_a_job(aws, queue, table, kick):
    """The kicker's, then the job's, then ours; what the config does not inherit stays out."""
    body = {"envs": {"A": "job", "SQSJKR_JOB_ID": "x"}, "event_id": "ev", "lock_id": "L"}
    job_id = queue.send({"command": "env", **body})
    config = settings(aws, queue, table, kicker={"inherit_env": ["PATH", "A", "B"]})
    kicker = kick(config, env={"A": "kicker", "B": "kicker", "C": "kicker"})
    output = kicker.says("job succeeded")["output"]
    env = dict(line.split("=", 1) for line in output.splitlines())
    assert ("job", "kicker", None) == (env.get("A"), env.get("B"), env.get("C"))
    assert (job_id, "ev", "1") == (
        env["SQSJKR_JOB_ID"],
        env["SQSJKR_EVENT_ID"],
        env["SQSJKR_RECEIVE_COUNT"],
    )
    assert re.fullmatch(r"\d{13}", env["SQSJKR_SENT_TIMESTAMP"])
    assert re.fullmatch(r"\d+", env["SQSJKR_LOCK_TOKEN"])


def test_a_job_past_its_life_time_fires_the_trigger_and_does_not_run(aws, queue, tmp_path, kick):
    """The trigger reads sqsjkr's text, to the letter, in the kicker's own time zone."""
    job = {"command": f"touch {tmp_path}/ran", "event_id": "ev", "life_time": "1ms"}
    job_id = queue.send(job)
    trigger = f"cat > {tmp_path}/text; echo $SQSJKR_EVENT_ID > {tmp_path}/event"
    kicker = kick(
        settings(aws, queue, kicker={"life_time_trigger": trigger}), env={"TZ": "Asia/Tokyo"}
    )
    eventually(queue.is_empty, deadline=30)
    text = (tmp_path / "text").read_text()
    timestamp = text.rpartition("sent_timestamp:")[2]
    assert (
        f"job_id:{job_id}, event_id:ev, command:touch {tmp_path}/ran, life_time:1ms, "
        f"sent_timestamp:{timestamp}" == text
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d*[1-9])? \+0900 JST", timestamp)
    assert "ev\n" == (tmp_path / "event").read_text()
    assert not (tmp_path / "ran").exists()
    assert {"succeeded": 0, "failed": 1, "errored": 0} == kicker.counters()


def test_no_trigger_where_the_job_disables_it(aws, queue, tmp_path, kick):
    """disable_life_time_trigger."""
    queue.send({"command": "true", "life_time": -1, "disable_life_time_trigger": True})
    trigger = f"touch {tmp_path}/fired"
    kicker = kick(settings(aws, queue, kicker={"life_time_trigger": trigger}))
    eventually(queue.is_empty, deadline=30)
    kicker.says("job failed")
    assert not (tmp_path / "fired").exists()


def test_a_failing_trigger_is_logged_and_never_fatal(aws, queue, kick):
    """The job counts as failed all the same."""
    queue.send({"command": "true", "life_time": -1})
    kicker = kick(settings(aws, queue, kicker={"life_time_trigger": "echo oops; exit 9"}))
    said = kicker.says("life_time_trigger failed")
    assert ("exit 9", "oops\n") == (said["reason"], said["output"])
    eventually(lambda: {"succeeded": 0, "failed": 1, "errored": 0} == kicker.counters())


def test_life_time_ends_the_wait_for_a_lock(aws, queue, table, tmp_path, kick):
    """The job fails with its trigger while the holder runs on."""
    go = tmp_path / "go"
    queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done", "lock_id": "L"})
    trigger = f"touch {tmp_path}/fired"
    kicker = kick(settings(aws, queue, table, kicker={"life_time_trigger": trigger}))
    kicker.says("job started")
    queue.send({"command": "true", "lock_id": "L", "life_time": "2s"})
    kicker.says("waits for its lock")
    kicker.says("job failed")
    eventually(lambda: {"succeeded": 0, "failed": 1, "errored": 0} == kicker.counters())
    assert (tmp_path / "fired").exists()
    go.touch()


def test_kill_over_life_time_ends_the_run_and_fires_the_trigger(aws, queue, tmp_path, kick):
    """The outcome is errored, as the command had started."""
    trigger = f"touch {tmp_path}/fired"
    config = {"life_time_trigger": trigger, "kill_over_life_time": True}
    kicker = kick(settings(aws, queue, kicker=config))
    kicker.started()
    queue.send({"command": "sleep 300", "life_time": "3s"})
    queue.send({"command": "sleep 4; echo done", "life_time": "3s", "kill_over_life_time": False})
    assert "killed over its life_time (signal SIGTERM)" == kicker.says("job errored")["reason"]
    eventually((tmp_path / "fired").exists)
    assert "done\n" == kicker.says("job succeeded")["output"]


def test_stats_are_sqsjkrs_to_the_byte_over_tcp_and_unix_socket(aws, queue, tmp_path, kick):
    """Bodies, key order, newline, status and content type; and 404 elsewhere."""
    import http.client
    import socket

    path = tmp_path / "stats.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))  # A kicker that was killed leaves such a file.
    stale.close()
    go = tmp_path / "go"
    queue.send({"command": f"until [ -e {go} ]; do sleep 0.05; done"})
    over_tcp = kick(settings(aws, queue, kicker={"max_concurrent_num": 3}))
    over_tcp.says("job started")
    config = settings(aws, queue, kicker={"max_concurrent_num": 2, "stats_socket": str(path)})
    del config["kicker"]["stats_port"]
    over_unix = kick(config).started()

    def get(connection: http.client.HTTPConnection, path: str) -> tuple:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()

    tcp = http.client.HTTPConnection(over_tcp.url.removeprefix("http://"))
    assert (200, "application/json", b'{"idle_worker":2,"busy_worker":1}\n') == get(
        tcp, "/stats/metrics"
    )
    assert (
        200,
        "application/json",
        b'{"workers":{"busy":1,"idle":2},"invocations":{"succeeded":0,"failed":0,"errored":0}}\n',
    ) == get(tcp, "/stats/metrics/v2")
    assert 404 == get(tcp, "/nothing")[0]
    unix = http.client.HTTPConnection("localhost")
    unix.sock = socket.socket(socket.AF_UNIX)
    unix.sock.connect(str(path))
    assert (200, "application/json", b'{"idle_worker":2,"busy_worker":0}\n') == get(
        unix, "/stats/metrics"
    )
    second = kick(config)
    assert 1 == second.wait()
    assert "another process listens on it" in second.log.read_text()
    go.touch()
    assert 0 == over_unix.stop()
    assert not path.exists()


def test_health_is_ok_while_it_works_and_not_while_the_server_is_away(aws, queue, kick):
    """200 with details; 503 with the reason is held by the tests of reliability."""
    kicker = kick(settings(aws, queue)).started()
    eventually(lambda: json.loads(kicker.get("/healthz"))["last_successful_receive"] is not None)
    health = json.loads(kicker.get("/healthz"))
    assert ("ok", [], {}) == (health["status"], health["problems"], health["errors"])


def test_a_custom_locker_and_throttler_are_named_in_the_config(aws, queue, tmp_path, kick):
    """module:Class, with nothing but the four methods of sqsjkr's interfaces."""
    (tmp_path / "mine.py").write_text(
        "from sqsjkr_gevent import AlreadyLocked, DuplicatedMessage\n"
        "class L:\n"
        "    def lock(self, lock_id, event_id):\n"
        "        print('lock', lock_id, event_id, flush=True)\n"
        "        if lock_id == 'taken': raise AlreadyLocked('taken')\n"
        "        if lock_id == 'broken': raise OSError('no route')\n"
        "    def unlock(self, lock_id): print('unlock', lock_id, flush=True)\n"
        "class T:\n"
        "    def set(self, job_id): print('set', flush=True)\n"
        "    def unset(self, job_id): print('unset', flush=True)\n"
    )
    stores = {"locker": {"backend": "mine:L"}, "throttler": {"backend": "mine:T"}}
    kicker = kick(settings(aws, queue, **stores), env={"PYTHONPATH": str(tmp_path)})
    queue.send({"command": "true", "lock_id": "free", "event_id": "ev"})
    kicker.says("job succeeded")
    queue.send({"command": "true", "lock_id": "taken", "abort_if_locked": True})
    kicker.says("job failed")
    broken = queue.send({"command": "true", "lock_id": "broken"})
    kicker.says("job returned", job_id=broken)
    eventually(lambda: "unset" in kicker.log.read_text().splitlines())
    assert {"lock free ev", "unlock free", "set"} <= set(kicker.log.read_text().splitlines())
    assert "unlock taken" not in kicker.log.read_text()
