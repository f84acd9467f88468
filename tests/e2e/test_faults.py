"""Services that fail in every way: no loss, no unguarded run, few calls, honest health."""

import json
import sys
import time
import urllib.error
import urllib.request

import pytest

from gates import Gate
from jobs import Evidence
from kickers import settings
from proxy import FAULTS, Proxy, wait_until
from sqsjkr_gevent.aws.lane import OPERATIONS
from waiting import eventually

LONG = 200.0

#: What a policy that was written for sqsjkr does not allow, but for sqs:ChangeMessageVisibility.
NOT_SQSJKRS = {
    "sqs": ("GetQueueUrl", "GetQueueAttributes", "SendMessage", "SendMessageBatch"),
    "dynamodb": (
        "GetItem",
        "BatchExecuteStatement",
        "Scan",
        "DescribeTable",
        "DescribeTimeToLive",
    ),
}

#: Seconds of an outage.
OUTAGE = 20.0

#: Leases that are due for renewal in an outage, and its seconds; a lease has more.
LEASES = 60
SHORT_OUTAGE = 6.0

#: Most calls in one second to a service that fails.
MAX_CALLS = 5

SQS = (
    "GetQueueUrl",
    "GetQueueAttributes",
    "ReceiveMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
    "SendMessage",
)
#: What scripts/test tries; CI tries all.
QUICK = (
    ("DeleteMessageBatch", "reset before"),
    ("UpdateItem", "500"),
    ("BatchExecuteStatement", "reset after"),
)
DYNAMODB = ("GetItem", "BatchExecuteStatement", "UpdateItem", "DeleteItem")
#: What is only called where statements do not work.
SINGLY = ("UpdateItem",)


@pytest.fixture
def proxies(aws):
    """A proxy for each service."""
    both = {"sqs": Proxy(aws.server.port).start(), "dynamodb": Proxy(aws.server.port).start()}
    yield both
    for proxy in both.values():
        proxy.stop()


def through(proxies) -> dict[str, str]:
    """The environment of a kicker that is to use the proxies."""
    return {f"AWS_ENDPOINT_URL_{name.upper()}": proxy.url for name, proxy in proxies.items()}


def behind(aws, queue, table, **sections):
    """A config whose endpoints come from the environment."""
    config = settings(aws, queue, table, **sections)
    del config["account"]["endpoint_url"]
    return config


def health(kicker) -> tuple[int, dict]:
    """Status and body of /healthz."""
    try:
        with urllib.request.urlopen(kicker.url + "/healthz", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def is_well(kicker) -> bool:
    """Whether /healthz answers 200."""
    return health(kicker)[0] == 200


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=30, max_receive_count=1000)
@pytest.mark.parametrize("away", [("sqs", "dynamodb"), ("dynamodb",), ("sqs",)], ids="+".join)
def test_an_outage_of_twenty_seconds_loses_and_doubles_nothing(
    aws, queue, table, tmp_path, kick, proxies, away
):
    """Few calls while it lasts; healthz says 503 and why, and 200 again by itself."""
    evidence = Evidence(tmp_path)
    kicker = kick(behind(aws, queue, table), env=through(proxies))
    for number in range(10):
        queue.send(evidence.job(f"before{number}", 2 + number / 2, f"L{number % 3}"))
    kicker.says("job started", count=3)
    eventually(lambda: is_well(kicker))
    began = time.monotonic()
    for name in away:
        proxies[name].cut_off = True
    for number in range(10):
        queue.send(evidence.job(f"during{number}", 0.1, f"L{number % 3}"))
    eventually(lambda: not is_well(kicker), deadline=OUTAGE)
    problems = " ".join(health(kicker)[1]["problems"])
    assert any(f"{name}." in problems for name in away)
    wait_until(began + OUTAGE)
    for name in away:
        busiest = max(proxies[name].calls_per_second(began + 1, began + OUTAGE).values())
        sys.stdout.write(f"{name}: {busiest} calls in the busiest second\n")
        assert busiest <= MAX_CALLS
        proxies[name].heal()
    eventually(lambda: is_well(kicker), deadline=60)
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    assert [] == evidence.faults([kicker])
    assert 0 == kicker.stop()


def test_an_idle_kicker_that_polls_short_makes_few_calls(aws, queue, kick, proxies):
    """150 a second would be 13 million a day, each of them paid; a job runs all the same.

    The pauses grow from 0.1 s to 1 s, each shortened by half at most.
    """
    kicker = kick(behind(aws, queue, None, sqs={"wait_time": 0}), env=through(proxies)).started()

    def polls() -> list[float]:
        return [at for at, operation in proxies["sqs"].calls if operation == "ReceiveMessage"]

    eventually(lambda: len(polls()) > 8, deadline=60)
    idle = polls()
    pauses = (0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5)
    assert idle[8] - idle[0] > sum(pauses)
    job_id = queue.send({"command": "true"})
    kicker.says("job succeeded", job_id=job_id)
    assert 0 == kicker.stop()


@pytest.mark.queue(visibility_timeout=30, max_receive_count=1000)
def test_no_job_starts_while_its_store_fails(aws, queue, table, tmp_path, kick, proxies):
    """Closed, not open: the original runs them unguarded."""
    kicker = kick(behind(aws, queue, table), env=through(proxies)).started()
    proxies["dynamodb"].fail("*", "500")
    job_id = queue.send({"command": f"touch {tmp_path}/ran"})
    kicker.says("job returned", job_id=job_id)
    kicker.says("still failing; no messages are received", deadline=30)
    assert not (tmp_path / "ran").exists()
    proxies["dynamodb"].heal()
    kicker.says("working again; messages are received", deadline=30)
    eventually((tmp_path / "ran").exists, deadline=60)


@pytest.mark.queue(visibility_timeout=30, max_receive_count=1000)
def test_a_table_that_is_deleted_under_way_stops_jobs_until_it_is_back(
    aws, queue, table, tmp_path, kick
):
    """And is no reason to crash."""
    from servers import create_table

    other = create_table(aws)
    kicker = kick(settings(aws, queue, other)).started()
    other.drop()
    queue.send({"command": f"touch {tmp_path}/ran"})
    kicker.says("still failing; no messages are received", deadline=30)
    assert not (tmp_path / "ran").exists()
    create_table(aws, other.name)
    eventually((tmp_path / "ran").exists, deadline=60)
    eventually(lambda: is_well(kicker), deadline=30)
    other.drop()


@pytest.mark.queue(visibility_timeout=5)
def test_sqsjkrs_own_rights_and_one_more_are_enough(aws, queue, table, tmp_path, kick, proxies):
    """A host of a rolling migration has its old policy: its jobs run, once, and are settled."""
    for service, operations in NOT_SQSJKRS.items():
        for operation in operations:
            proxies[service].fail(operation, "403")
    sqs = proxies["sqs"]
    evidence = Evidence(tmp_path)
    config = behind(aws, queue, table, sqs={"visibility_timeout": 5}, locker={"lease": "5s"})
    kicker = kick(config, env=through(proxies))

    def marks() -> list[dict]:
        return [row for row in table.rows() if row.get("Status") == {"S": "done"}]

    queue.send(evidence.job("first", 0))
    eventually(lambda: marks() and queue.is_empty(), deadline=60)
    # The next ones are done and marked, but not deleted when the kicker dies.
    sqs.fail("DeleteMessageBatch", "500")
    for number in range(5):
        queue.send(evidence.job(f"j{number}", 0.1, "L" if number % 2 else None))
    eventually(lambda: len(marks()) == 6, deadline=60)
    assert is_well(kicker)
    kicker.process.kill()
    del sqs.faults["DeleteMessageBatch"]
    other = kick(config, env=through(proxies)).started()
    eventually(queue.is_empty, deadline=60, every=0.2)
    assert {"first": 1, **{f"j{number}": 1 for number in range(5)}} == evidence.done
    assert [] == evidence.faults()
    assert {"Id", "Type", "Expired", "Owner", "Status"} == set().union(*marks())
    warned = [line["permission"] for line in kicker.lines("a permission is missing")]
    assert sorted(warned) == sorted(
        [
            "dynamodb:GetItem",
            "dynamodb:GetItem",  # Of the locks and of the job states: each has a table.
            "dynamodb:PartiQLUpdate",  # Whose statements are gathered together.
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
        ]
    )
    assert 0 == other.stop()
    assert "Traceback" not in kicker.log.read_text() + other.log.read_text()


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=5, max_receive_count=1000)
def test_a_lease_that_cannot_be_renewed_ends_its_job_before_it_lapses(
    aws, queue, table, tmp_path, kick, proxies
):
    """And the message goes back; nothing overlaps the next run."""
    evidence = Evidence(tmp_path)
    sections = {"sqs": {"visibility_timeout": 5}, "locker": {"lease": "5s"}}
    kicker = kick(behind(aws, queue, table, **sections), env=through(proxies))
    queue.send(evidence.job("j", 15, "L"))
    kicker.says("job started")
    other = kick(settings(aws, queue, table, **sections)).started()
    proxies["dynamodb"].fail("*", "hang")
    kicker.says("lease lost", deadline=15)
    kicker.says("job returned", deadline=15)
    proxies["dynamodb"].heal()
    eventually(queue.is_empty, deadline=LONG)
    assert ({"j": 1}, []) == (evidence.done, evidence.faults())
    assert 1 == len(other.lines("job succeeded")) + len(kicker.lines("job succeeded"))


@pytest.mark.slow
@pytest.mark.queue(visibility_timeout=30, max_receive_count=1000)
def test_an_outage_shorter_than_a_lease_costs_no_running_job_its_leases(
    aws, queue, table, tmp_path, kick, proxies
):
    """All of them are due at once, and all are renewed once the service is back."""
    gate = Gate(tmp_path)
    config = behind(
        aws,
        queue,
        table,
        sqs={"visibility_timeout": 30},
        locker={"lease": "30s"},
        kicker={"max_concurrent_num": LEASES},
    )
    kicker = kick(config, env=through(proxies)).started()
    for number in range(LEASES):
        queue.send({"command": gate.command, "lock_id": f"L{number}", "event_id": f"j{number}"})
    kicker.says("job started", count=LEASES)

    def renewed(versions: dict[str, int]) -> bool:
        """Whether each lease was renewed since these were its versions."""
        return all(one > versions[row_id] for row_id, one in versions_of(table).items())

    # The leases are renewed after a third of their time: all of them in the outage, or most.
    began = time.monotonic() + 30 / 3 - SHORT_OUTAGE / 2
    wait_until(began)
    with proxies["dynamodb"].cut():
        before = versions_of(table)
        wait_until(began + SHORT_OUTAGE)
        ended = time.monotonic()
    # What is due at the same moment goes out together, once.
    noticed = next(at for at, _ in proxies["dynamodb"].calls if at >= began)
    busiest = max(proxies["dynamodb"].calls_per_second(noticed + 1, ended).values())
    assert busiest <= MAX_CALLS
    eventually(lambda: renewed(before), deadline=60)
    assert [] == kicker.lines("lease lost")
    gate.open()
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    assert LEASES == len(kicker.lines("job succeeded"))
    assert 0 == kicker.stop()


def versions_of(table) -> dict[str, int]:
    """How often each lease in the table was renewed, and once for its start."""
    return {
        f"{row['Type']['S']} {row['Id']['S']}": int(row["Version"]["N"])
        for row in table.rows()
        if "Version" in row
    }


def cases():
    """Each call with each fault, and by botocore alone what the fast lane makes otherwise.

    The quick run has a few.
    """
    for operation in SQS + DYNAMODB:
        for fault in FAULTS:
            quick = (operation, fault) in QUICK
            for transport in ("auto", "botocore") if operation in OPERATIONS else ("auto",):
                yield pytest.param(
                    (operation, fault, transport),
                    id=f"{operation}-{fault}-{transport}",
                    marks=[] if quick and transport == "auto" else [pytest.mark.slow],
                )


@pytest.mark.queue(visibility_timeout=5, max_receive_count=1000)
@pytest.mark.parametrize("case", list(cases()))
def test_a_failing_call_neither_loses_nor_doubles_a_job(
    aws, queue, table, tmp_path, kick, proxies, case
):
    """Every call that a kicker makes, each failing three times in every way, hanging once."""
    operation, fault, transport = case
    evidence = Evidence(tmp_path)
    proxy = proxies["sqs" if operation in SQS else "dynamodb"]
    times = 1 if fault == "hang" else 3
    config = behind(
        aws,
        queue,
        table,
        sqs={"visibility_timeout": 5},
        locker={"lease": "5s"},
        retry={"exit_codes": [75], "backoff": "1s", "max_backoff": "1s"},
    )
    config["account"]["transport"] = transport
    if (fault, operation) == ("403", "GetQueueAttributes"):
        # Nobody can see then that the queue has one.
        config["sqs"]["dead_letter_queue"] = queue.dead_letters.name
    if operation in SINGLY:
        proxy.fail("BatchExecuteStatement", "403")
    kicker = None
    if operation == "BatchExecuteStatement":
        # At its start it tries them out, and would do without.
        kicker = kick(config, env=through(proxies)).started()
    proxy.fail(operation, fault, times)
    for number in range(6):
        queue.send(evidence.job(f"j{number}", 0.1, "L" if number % 2 else None))
    queue.send(evidence.job("long", 4))
    queue.send({"command": f"mkdir {tmp_path}/once || exit 0; exit 75"})
    queue.send("no JSON")
    kicker = kicker or kick(config, env=through(proxies))
    if (fault, operation) == ("403", "ReceiveMessage"):
        assert 1 == kicker.wait()
        assert "denied" in kicker.log.read_text()
        proxy.heal()
        kicker = kick(config, env=through(proxies))
    eventually(queue.is_empty, deadline=LONG, every=0.2)
    assert [1] * 7 == list(evidence.done.values())
    assert [] == evidence.faults()
    # Sent again after each answer that was lost: at least once, as SQS itself.
    assert 1 <= queue.dead_letters.counts()["visible"] <= 4
    assert proxy.failed[operation] > 0
    assert 0 == kicker.stop()
    assert "Traceback" not in kicker.log.read_text()


@pytest.mark.parametrize("fault", ["500", "403"])
def test_jobs_run_as_before_where_statements_do_not_work(
    aws, queue, table, tmp_path, kick, proxies, fault
):
    """One line says so, and health has nothing to say: moto answers 500, a policy denies."""
    proxies["dynamodb"].fail("BatchExecuteStatement", fault)
    evidence = Evidence(tmp_path)
    kicker = kick(behind(aws, queue, table), env=through(proxies)).started()
    for number in range(4):
        queue.send(evidence.job(f"j{number}", 0.1, f"L{number % 2}"))
    eventually(queue.is_empty, deadline=60)
    assert {f"j{number}": 1 for number in range(4)} == evidence.done
    said = {"500": "statements do not work here", "403": "a permission is missing"}[fault]
    assert 1 == len(kicker.lines(said))
    assert {} == health(kicker)[1]["errors"]
    assert 'operation="batch_execute_statement",result="ok"' in kicker.get("/metrics").decode()
    assert 'operation="batch_execute_statement",result="5' not in kicker.get("/metrics").decode()
    assert (3 if fault == "500" else 1) == proxies["dynamodb"].failed["BatchExecuteStatement"]
    assert 0 == kicker.stop()


def test_jobs_run_on_while_statements_fail_and_share_calls_again_afterwards(
    aws, queue, table, tmp_path, kick, proxies
):
    """However long it takes: the other calls do the same, and health judges those."""
    evidence = Evidence(tmp_path)
    kicker = kick(behind(aws, queue, table), env=through(proxies)).started()
    proxies["dynamodb"].fail("BatchExecuteStatement", "500")
    for number in range(8):
        queue.send(evidence.job(f"j{number}", 0.1, f"L{number % 3}"))
    eventually(queue.is_empty, deadline=LONG)
    assert {f"j{number}": 1 for number in range(8)} == evidence.done
    assert [] == evidence.faults()
    assert is_well(kicker)
    assert [] == kicker.lines("job returned")
    proxies["dynamodb"].heal()

    def shares_calls() -> bool:
        """Whether a job's claim was made by a statement that worked."""
        before = len(proxies["dynamodb"].calls)
        job_id = queue.send({"command": "true"})
        kicker.says("job succeeded", job_id=job_id)
        eventually(queue.is_empty)
        made = {operation for _, operation in proxies["dynamodb"].calls[before:]}
        return made == {"BatchExecuteStatement"}

    eventually(shares_calls, deadline=60, every=0.5)
    assert 0 == kicker.stop()
