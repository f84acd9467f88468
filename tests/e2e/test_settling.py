"""What becomes of messages: retries, dead letters, FIFO groups, a mixed fleet."""

import sys
import time

import pytest
from gevent import subprocess
from gevent.pool import Pool

from jobs import Evidence
from kickers import settings
from proxy import Proxy
from waiting import eventually

LONG = 120.0


@pytest.mark.queue(visibility_timeout=30)
def test_a_retried_job_runs_until_it_succeeds(aws, queue, table, tmp_path, kick):
    """Its exit code is listed; another one is not retried; each attempt counts as errored."""
    flaky = f"echo x >> {tmp_path}/runs; [ $(wc -l < {tmp_path}/runs) -ge 3 ] || exit 75"
    queue.send({"command": flaky, "lock_id": "L"})
    queue.send({"command": "exit 1"})
    retry = {"exit_codes": [75], "backoff": "1s", "max_backoff": "2s"}
    kicker = kick(settings(aws, queue, table, retry=retry))
    eventually(queue.is_empty, deadline=LONG)
    assert 3 == len((tmp_path / "runs").read_text().split())
    eventually(lambda: {"succeeded": 1, "failed": 0, "errored": 3} == kicker.counters())
    assert 2 == len(kicker.lines("job retried later"))


@pytest.mark.queue(max_receive_count=100)
def test_a_job_out_of_attempts_is_in_the_dead_letter_queue(aws, queue, table, kick):
    """With its reason, and its original is gone."""
    job_id = queue.send({"command": "kill -9 $$"})
    retry = {"exit_codes": "any", "backoff": "1s", "max_backoff": "1s", "max_attempts": 2}
    kick(settings(aws, queue, table, retry=retry))
    [dead] = eventually(queue.dead_letters.receive, deadline=LONG)
    attributes = {name: a["StringValue"] for name, a in dead["MessageAttributes"].items()}
    assert "signal SIGKILL, attempt 2 was the last" == attributes["SqsjkrReason"]
    assert job_id == attributes["SqsjkrMessageId"]
    eventually(queue.is_empty)


@pytest.mark.queue(max_receive_count=100)
def test_a_job_whose_dead_letter_is_refused_runs_no_more_often_than_its_attempts(
    aws, queue, table, tmp_path, kick
):
    """It ran again with each receive, for as long as the permission was missing."""
    proxy = Proxy(aws.server.port).start()
    refused = proxy.fail("SendMessage", "403")
    queue.send({"command": f"echo x >> {tmp_path}/runs; exit 1"})
    retry = {"exit_codes": "any", "backoff": "1s", "max_backoff": "1s", "max_attempts": 2}
    config = settings(aws, queue, table, retry=retry)
    del config["account"]["endpoint_url"]
    endpoints = {"SQS": proxy.url, "DYNAMODB": aws.endpoint_url}
    env = {f"AWS_ENDPOINT_URL_{service}": url for service, url in endpoints.items()}
    kicker = kick(config, env=env)
    kicker.says("dead letter refused; sent again later", 2, deadline=LONG)
    refused.left = 0
    [dead] = eventually(queue.dead_letters.receive, deadline=LONG)
    reason = dead["MessageAttributes"]["SqsjkrReason"]["StringValue"]
    eventually(queue.is_empty)
    assert (2, True) == (len((tmp_path / "runs").read_text().split()), "was the last" in reason)
    proxy.stop()


def test_a_job_out_of_attempts_without_a_dead_letter_queue_is_in_the_log(aws, queue, table, kick):
    """It is deleted, and its whole body is told."""
    queue.send({"command": "exit 9", "event_id": "ev"})
    retry = {"exit_codes": [9], "max_attempts": 1}
    kicker = kick(settings(aws, queue, table, retry=retry))
    assert '{"command": "exit 9", "event_id": "ev"}' == kicker.says("job given up")["body"]
    eventually(queue.is_empty)


def test_a_job_over_its_life_time_is_not_retried(aws, queue, table, kick):
    """It would only be over it again."""
    kicker = kick(settings(aws, queue, table, retry={"exit_codes": "any"})).started()
    queue.send({"command": "sleep 60", "life_time": "4s", "kill_over_life_time": True})
    kicker.says("job errored")
    eventually(queue.is_empty)
    assert [] == kicker.lines("job retried later")


@pytest.mark.queue(fifo=True, visibility_timeout=30)
def test_jobs_of_a_message_group_run_one_after_the_other_in_their_order(
    aws, queue, table, tmp_path, kick
):
    """Groups run beside each other; within one there is no overlap and no overtaking."""
    evidence = Evidence(tmp_path)
    for number in range(12):
        group = "ab"[number % 2]
        job = evidence.job(f"{group}{number}", 0.1, group=group)
        queue.send(job, MessageGroupId=group, MessageDeduplicationId=str(number))
    kick(settings(aws, queue, table))
    eventually(queue.is_empty, deadline=LONG)
    assert [] == evidence.faults()


@pytest.mark.queue(fifo=True, visibility_timeout=30)
def test_a_job_that_goes_back_takes_the_later_ones_of_its_group_along(
    aws, queue, table, tmp_path, kick
):
    """The order holds over a retry of the first."""
    fails_once = f"[ -e {tmp_path}/failed ] || {{ touch {tmp_path}/failed; exit 75; }}"
    for number in range(4):
        command = f"{fails_once}; echo {number} >> {tmp_path}/order"
        queue.send({"command": command}, MessageGroupId="g", MessageDeduplicationId=str(number))
    retry = {"exit_codes": [75], "backoff": "1s", "max_backoff": "1s"}
    kicker = kick(settings(aws, queue, table, retry=retry))
    eventually(queue.is_empty, deadline=LONG)
    assert ["0", "1", "2", "3"] == (tmp_path / "order").read_text().split()
    kicker.says("job retried later")


def test_jobs_of_one_tenant_on_a_standard_queue_run_side_by_side(aws, queue, table, tmp_path, kick):
    """There a message group is a tenant of SQS's fair queues and orders nothing.

    Each waits for the other three, and the first goes back once, which is no matter of theirs.
    """
    meet = "".join(
        f"until [ -e {tmp_path}/{number} ]; do sleep 0.05; done; " for number in range(4)
    )
    fails_once = f"[ -e {tmp_path}/failed ] || {{ touch {tmp_path}/failed; exit 75; }}; "
    for number in range(4):
        met = f"touch {tmp_path}/{number}; {meet}"
        job = {"command": (fails_once if number == 0 else "") + met, "timeout": "60s"}
        queue.send(job, MessageGroupId="tenant")
    retry = {"exit_codes": [75], "backoff": "1s", "max_backoff": "1s"}
    kicker = kick(settings(aws, queue, table, retry=retry))
    eventually(queue.is_empty, deadline=LONG)
    eventually(lambda: {"succeeded": 4, "failed": 0, "errored": 1} == kicker.counters())
    assert [] == kicker.lines("job returned")


class SqsjkrHost:
    """The calls that a sqsjkr host makes on the table, to the letter."""

    def __init__(self, table):
        self._table = table

    def _set(self, row_id: str, kind: str, attribute: str, value: dict) -> bool:
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key={"Id": {"S": row_id}, "Type": {"S": kind}},
                UpdateExpression=f"SET {attribute} = :v",
                ConditionExpression=f"attribute_not_exists({attribute})",
                ExpressionAttributeValues={":v": value},
            )
        except self._table.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def lock(self, lock_id: str) -> bool:
        """Whether it got the lock."""
        return self._set(lock_id, "lock", "EventId", {"S": "sqsjkr"})

    def unlock(self, lock_id: str) -> None:
        """Delete the row, whoever's it is."""
        key = {"Id": {"S": lock_id}, "Type": {"S": "lock"}}
        self._table.dynamodb.delete_item(TableName=self._table.name, Key=key)

    def first(self, job_id: str) -> bool:
        """Whether it sees the job for the first time."""
        return self._set(job_id, "throttle", "Expired", {"N": "4102444800"})


def test_a_sqsjkr_host_and_ours_exclude_each_other_on_one_table(aws, queue, table, tmp_path, kick):
    """200 jobs of 4 locks, half of them by a host that knows nothing of owners and leases."""
    evidence = Evidence(tmp_path)
    kicker = kick(settings(aws, queue, table, locker={"retry_interval": "50ms"}))
    ids = [queue.send(evidence.job(f"ours{n}", 0.02, f"L{n % 4}")) for n in range(100)]
    host = SqsjkrHost(table)

    def theirs(number: int) -> None:
        lock = f"L{number % 4}"
        eventually(lambda: host.lock(lock), deadline=LONG, every=0.05)
        try:
            command = evidence.job(f"theirs{number}", 0.02, lock)["command"]
            subprocess.check_call(["sh", "-c", command])
        finally:
            host.unlock(lock)

    pool = Pool(4)
    for number in range(100):
        pool.spawn(theirs, number)
    pool.join()
    eventually(queue.is_empty, deadline=LONG)
    assert 200 == len(evidence.done) == sum(evidence.done.values())
    assert [] == evidence.faults()
    # What ours ran is seen to sqsjkr, and what sqsjkr ran is done to ours.
    assert [] == [job_id for job_id in ids if host.first(job_id)]
    kicker.says("waits for its lock")


def test_a_job_that_sqsjkr_saw_is_not_run_by_ours(aws, queue, table, kick):
    """Its message is deleted as a duplicate, as sqsjkr deletes it."""
    job_id = queue.send({"command": "true"})
    assert SqsjkrHost(table).first(job_id)
    kicker = kick(settings(aws, queue, table))
    kicker.says("job duplicate", job_id=job_id)
    eventually(queue.is_empty)
    assert [] == kicker.lines("job started")


def test_a_lock_that_a_sqsjkr_host_left_behind_is_never_taken_over(aws, queue, table, kick):
    """It has no lease that could lapse."""
    host = SqsjkrHost(table)
    assert host.lock("L")
    kicker = kick(settings(aws, queue, table, locker={"lease": "5s", "retry_interval": "200ms"}))
    queue.send({"command": "true", "lock_id": "L"})
    kicker.says("waits for its lock")
    asked_at = time.monotonic()
    eventually(lambda: time.monotonic() - asked_at > 8, deadline=30)
    assert [] == kicker.lines("job started")
    host.unlock("L")
    kicker.says("job succeeded")


@pytest.mark.slow
def test_the_last_of_many_waiters_on_three_hosts_waits_for_the_backlog(
    aws, queue, table, tmp_path, kick
):
    """Each host hands the lock on to its own jobs first; the others find it free soon after."""
    evidence = Evidence(tmp_path)
    config = settings(aws, queue, table, locker={"retry_interval": "5s"})
    config["kicker"]["max_concurrent_num"] = 10
    kickers = [kick(config).started() for _ in range(3)]
    for number in range(30):
        queue.send(evidence.job(f"j{number}", 0.4, "L"))
    began = time.monotonic()
    eventually(queue.is_empty, deadline=200)
    sys.stdout.write(f"{time.monotonic() - began:.1f} s for a backlog of 12 s and its starts\n")
    assert {f"j{number}": 1 for number in range(30)} == evidence.done
    assert [] == evidence.faults(kickers)
    assert [0, 0, 0] == [kicker.stop() for kicker in kickers]
