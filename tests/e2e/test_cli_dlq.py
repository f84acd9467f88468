"""`dlq` over real queues."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kickers import DEADLINE, settings, toml
from sqsjkr_gevent.aws.batches import MAX_BATCH_BYTES
from sqsjkr_gevent.aws.dead_letter import attributes_of
from sqsjkr_gevent.aws.dead_letters import MAX_STALE, DeadLetters
from waiting import eventually

COMMAND = [sys.executable, "-m", "sqsjkr_gevent"]

with_dead_letters = pytest.mark.queue(max_receive_count=2)
both = pytest.mark.servers("ministack", "moto", slow=["moto"])


def text(value: str) -> dict[str, str]:
    """A message attribute."""
    return {"DataType": "String", "StringValue": value}


@pytest.fixture
def dlq(aws: Any, queue: Any, tmp_path: Path) -> Any:
    """Run `dlq` to its end, and say what it said."""
    conf = tmp_path / "conf.toml"
    conf.write_text(toml(settings(aws, queue)))

    def run(*arguments: str, wait: bool = True, **options: Any) -> Any:
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        command = [*COMMAND, "dlq", *arguments, "-c", str(conf)]
        environ = {**os.environ, **aws.env}
        process = subprocess.Popen(command, env=environ, text=True, **options)
        if not wait:
            return process
        out, err = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    return run


def given_up(queue: Any, body: Any, reason: str = "command: expected", **options: Any) -> str:
    """Put a message there as a kicker does; its id."""
    attributes = {"SqsjkrReason": text(reason), "SqsjkrMessageId": text("first-id")}
    attributes |= options.pop("MessageAttributes", {})
    return str(queue.dead_letters.send(body, MessageAttributes=attributes, **options))


def moved(queue: Any, body: Any) -> str:
    """Have SQS move a message there, after two receives."""
    message_id = queue.send(body)

    def there() -> bool:
        queue.receive(VisibilityTimeout=0)
        return bool(queue.dead_letters.counts()["visible"])

    eventually(there)
    return str(message_id)


@both
@with_dead_letters
def test_messages_are_shown_with_why_they_are_there_and_stay(dlq: Any, queue: Any) -> None:
    """Given up by a kicker, or moved by SQS; what is no job has no command."""
    theirs = moved(queue, {"command": "false", "event_id": "nightly"})
    ours = given_up(queue, "no job")
    for _ in range(2):
        done = dlq()
        assert (0, "") == (done.returncode, done.stderr)
        header, *lines = (line.split("\t") for line in done.stdout.splitlines())
        assert ["message id", "sent", "reason", "command", "event"] == header
        assert {
            theirs: ["SQS moved it after 2 receives", "false", "nightly"],
            ours: ["command: expected", "-", "-"],
        } == {line[0]: line[2:] for line in lines}
        assert {"visible": 2, "in_flight": 0, "delayed": 0} == queue.dead_letters.counts()


@with_dead_letters
@pytest.mark.slow
def test_the_list_is_json_where_that_is_asked_for(dlq: Any, queue: Any) -> None:
    """With the whole command, and the id that the kicker's log has."""
    assert [] == json.loads(dlq("--json").stdout)
    long = "true " + "x" * 500
    ours = given_up(queue, {"command": long, "life_time": "1 day", "event_id": 5})
    (shown,) = json.loads(dlq("--json").stdout)
    assert shown.pop("sent_at") > 0
    assert {
        "message_id": ours,
        "original_id": "first-id",
        "receives": 1,
        "group_id": None,
        "reason": "command: expected",
        "command": long,
        "event_id": None,
    } == shown
    assert 80 == len(dlq().stdout.splitlines()[1].split("\t")[3])


@both
@with_dead_letters
@pytest.mark.slow
def test_many_are_shown_once_each_up_to_the_limit(dlq: Any, queue: Any) -> None:
    """And all of them can be received afterwards."""
    ids = {given_up(queue, {"command": f"echo {number}"}) for number in range(25)}
    done = dlq("--limit", "1000", "--json")
    shown = [one["message_id"] for one in json.loads(done.stdout)]
    assert ids == set(shown)
    assert 25 == len(shown)
    limited = dlq("--limit", "12")
    assert 13 == len(limited.stdout.splitlines())
    assert "about" in limited.stderr
    assert 25 == queue.dead_letters.counts()["visible"]


@with_dead_letters
@pytest.mark.slow
def test_an_interrupted_look_gives_all_back(dlq: Any, queue: Any) -> None:
    """Ctrl-C in a queue of thousands must not hide what was seen."""
    for number in range(30):
        given_up(queue, {"command": f"echo {number}"})
    looking = dlq("--limit", "100000", wait=False)
    eventually(lambda: queue.dead_letters.counts()["in_flight"] > 0, every=0.001)
    looking.send_signal(signal.SIGINT)
    out, err = looking.communicate(timeout=DEADLINE)
    assert (130, "", "") == (looking.returncode, out, err.strip())
    eventually(lambda: queue.dead_letters.counts()["in_flight"] == 0, deadline=5)


@with_dead_letters
@pytest.mark.slow
def test_an_interrupted_redrive_leaves_no_message_in_both_queues(dlq: Any, queue: Any) -> None:
    """It ends between two batches, and says how far it came."""
    for number in range(60):
        given_up(queue, {"command": f"echo {number}"})
    redriving = dlq("redrive", "--all", wait=False)
    eventually(lambda: queue.counts()["visible"] > 0, every=0.001)
    redriving.send_signal(signal.SIGINT)
    out, err = redriving.communicate(timeout=DEADLINE)
    sent = queue.counts()["visible"]
    assert (130, f"{sent} redriven\n", "") == (redriving.returncode, out, err.strip())
    assert {"visible": 60 - sent, "in_flight": 0, "delayed": 0} == queue.dead_letters.counts()


@both
@with_dead_letters
@pytest.mark.slow
def test_a_message_is_shown_with_all_that_it_has(dlq: Any, queue: Any) -> None:
    """By its own id, or by that of the message that it was."""
    mine = {
        "Trace": text("abc\x1b[2J"),
        "Blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    given_up(queue, "other", MessageAttributes={"SqsjkrMessageId": text("other")})
    ours = given_up(queue, {"command": "echo é", "envs": {"A": "b"}}, MessageAttributes=mine)
    for id_ in (ours, "first-id"):
        done = dlq("show", id_)
        assert (0, "") == (done.returncode, done.stderr)
        head, _, body = done.stdout.partition("\n\n")
        assert {"command": "echo é", "envs": {"A": "b"}} == json.loads(body)
        assert '\n  "envs": {' in body
        lines = head.splitlines()
        assert f"message id    {ours}" == lines[0]
        assert "reason        command: expected" in lines
        assert "attribute     Trace (String): abc\\x1b[2J" in lines
        assert "attribute     Blob (Binary): AP8=" in lines
    shown = json.loads(dlq("show", ours, "--json").stdout)
    assert {"Trace": "abc\x1b[2J", "Blob": "AP8="} == shown["attributes"]
    assert {"command": "echo é", "envs": {"A": "b"}} == json.loads(shown["body"])
    assert 2 == queue.dead_letters.counts()["visible"]


@with_dead_letters
@pytest.mark.slow
def test_a_body_that_is_no_json_is_shown_as_it_is(dlq: Any, queue: Any) -> None:
    """But for what would steer a terminal."""
    ours = given_up(queue, "two\nlines \x85")
    assert dlq("show", ours).stdout.endswith("\n\ntwo\nlines \\x85\n")


@both
@with_dead_letters
def test_redriven_messages_are_in_the_queue_as_they_were_sent(dlq: Any, queue: Any) -> None:
    """With their senders' attributes, and none of the kicker's."""
    trace = {"Trace": text("abc"), "Blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    first = given_up(queue, {"command": "a"}, MessageAttributes=trace)
    given_up(queue, {"command": "b"}, MessageAttributes={"SqsjkrMessageId": text("b-id")})
    left = given_up(queue, {"command": "c"}, MessageAttributes={"SqsjkrMessageId": text("c-id")})
    done = dlq("redrive", first, "b-id")
    assert (0, "2 redriven\n", "") == (done.returncode, done.stdout, done.stderr)
    found = {json.loads(one["Body"])["command"]: one for one in queue.receive()}
    assert {"a", "b"} == found.keys()
    sent = found["a"]["MessageAttributes"]
    assert {"Trace": "abc"} == {name: sent[name]["StringValue"] for name in sent if name != "Blob"}
    assert b"\x00\xff" == sent["Blob"]["BinaryValue"]
    assert not found["b"].get("MessageAttributes")
    assert [left] == [one["MessageId"] for one in queue.dead_letters.receive()]


@with_dead_letters
def test_a_redriven_message_has_the_attributes_that_had_to_be_packed(dlq: Any, queue: Any) -> None:
    """Also those that SQS would not take beside the kicker's, as they were sent."""
    mine: dict[str, Any] = {f"n{number}": text(str(number)) for number in range(9)}
    mine["Blob"] = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    ours = queue.dead_letters.send(
        "{}", MessageAttributes=attributes_of("first-id", mine, "out of attempts")
    )
    shown = json.loads(dlq("show", ours, "--json").stdout)
    assert "AP8=" == shown["attributes"]["Blob"]
    done = dlq("redrive", "first-id")
    assert (0, "1 redriven\n", "") == (done.returncode, done.stdout, done.stderr)
    [message] = queue.receive()
    sent = message["MessageAttributes"]
    assert mine.keys() == sent.keys()
    assert (b"\x00\xff", "8") == (sent["Blob"]["BinaryValue"], sent["n8"]["StringValue"])


@both
@with_dead_letters
@pytest.mark.slow
def test_all_are_redriven_in_batches_also_long_ones(dlq: Any, queue: Any) -> None:
    """Ten of these are more than a batch may weigh."""
    for number in range(23):
        given_up(queue, {"command": f"echo {number}", "long": "x" * (MAX_BATCH_BYTES // 5)})
    done = dlq("redrive", "--all")
    assert (0, "23 redriven\n", "") == (done.returncode, done.stdout, done.stderr)
    assert queue.dead_letters.is_empty()
    assert 23 == queue.counts()["visible"]


@with_dead_letters
@pytest.mark.slow
def test_what_a_running_kicker_gives_up_again_is_not_redriven_for_ever(
    dlq: Any, queue: Any, aws: Any, kick: Any
) -> None:
    """An invalid message is back in no time, under another id."""
    kick(settings(aws, queue)).started()
    for _ in range(15):
        given_up(queue, "no job")
    done = dlq("redrive", "--all")
    assert (0, "15 redriven\n") == (done.returncode, done.stdout)
    eventually(lambda: queue.dead_letters.counts()["visible"] == 15)


@pytest.mark.queue(max_receive_count=2, fifo=True)
@pytest.mark.slow
def test_in_a_fifo_queue_order_and_groups_are_kept(dlq: Any, queue: Any) -> None:
    """A receive brings ten of a group, the next ten come once these are deleted."""
    for number in range(12):
        for group in "ab":
            given_up(
                queue,
                {"command": f"{group}{number}"},
                MessageGroupId=group,
                MessageDeduplicationId=f"{group}{number}",
            )
    assert {"a", "b"} >= {one["group_id"] for one in json.loads(dlq("--json").stdout)} > set()
    done = dlq("redrive", "--all")
    assert (0, "24 redriven\n", "") == (done.returncode, done.stdout, done.stderr)
    commands: dict[str, list[str]] = {"a": [], "b": []}
    while received := queue.receive():
        for one in received:
            commands[one["Attributes"]["MessageGroupId"]].append(json.loads(one["Body"])["command"])
            queue.delete(one)
    assert {group: [f"{group}{n}" for n in range(12)] for group in "ab"} == commands


@both
@with_dead_letters
def test_messages_are_deleted_by_their_ids_or_all_of_them(dlq: Any, queue: Any) -> None:
    """For good, so it asks; a script says --yes."""
    first, *rest = [given_up(queue, {"command": f"{number}"}) for number in range(12)]
    refused = dlq("delete", first)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert "--yes" in refused.stderr
    assert 12 == queue.dead_letters.counts()["visible"]
    done = dlq("delete", first, "--yes")
    assert (0, "1 deleted\n", "") == (done.returncode, done.stdout, done.stderr)
    assert set(rest) == {one["message_id"] for one in json.loads(dlq("--json").stdout)}
    done = dlq("delete", "--all", "--yes")
    assert (0, "11 deleted\n", "") == (done.returncode, done.stdout, done.stderr)
    assert queue.dead_letters.is_empty()


@with_dead_letters
@pytest.mark.slow
def test_it_asks_before_it_deletes_all_and_takes_no_for_an_answer(dlq: Any, queue: Any) -> None:
    """With about how many it would be."""
    given_up(queue, "x")
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    done = dlq("delete", "--all", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert (130, "") == (done.returncode, done.stdout)
    assert "Delete all (about 1) for good?" in done.stderr
    assert 1 == queue.dead_letters.counts()["visible"]


@with_dead_letters
@pytest.mark.parametrize("arguments", [["redrive"], ["delete", "--yes"]])
@pytest.mark.slow
def test_an_id_that_is_not_there_is_told_and_the_others_are_done(
    dlq: Any, queue: Any, arguments: list[str]
) -> None:
    """The exit code says that it is not all."""
    ours = given_up(queue, "x")
    done = dlq(*arguments, "gone", ours)
    assert 1 == done.returncode
    assert done.stdout.startswith("1 ")
    assert "sqsjkr-gevent: gone: not in the dead-letter queue\n" == done.stderr
    assert queue.dead_letters.is_empty()
    shown = dlq("show", "gone")
    assert (1, "") == (shown.returncode, shown.stdout)
    assert "message gone is not in the dead-letter queue" in shown.stderr


@with_dead_letters
@pytest.mark.parametrize(
    "arguments", [["redrive"], ["redrive", "x", "--all"], ["delete", "--yes"], ["show"]]
)
def test_which_messages_are_meant_must_be_said(dlq: Any, arguments: list[str]) -> None:
    """And not in two ways."""
    done = dlq(*arguments)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))


def test_a_queue_without_dead_letters_is_an_error_that_says_what_to_set(dlq: Any) -> None:
    """There is nothing to look at, and never will be."""
    done = dlq()
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "sqs.dead_letter_queue" in done.stderr


@pytest.mark.slow
def test_the_dead_letter_queue_of_the_config_is_the_one(
    dlq: Any, make_queue: Any, aws: Any, queue: Any, tmp_path: Path
) -> None:
    """SQS moves nothing there, so why a message without a reason is there is not known."""
    other = make_queue()
    (tmp_path / "conf.toml").write_text(
        toml(settings(aws, queue, sqs={"dead_letter_queue": other.name}))
    )
    other.send("x")
    assert ["unknown"] == [one["reason"] for one in json.loads(dlq("--json").stdout)]


@with_dead_letters
@pytest.mark.slow
def test_a_terminal_sees_a_table_and_a_progress_bar(dlq: Any, queue: Any) -> None:
    """The list on standard output, the bar on standard error."""
    for _ in range(12):
        given_up(queue, {"command": "echo [bold]"})
    ours, theirs = pty.openpty()
    done = dlq(stdout=theirs)
    assert 0 == done.returncode, done.stderr
    seen = os.read(ours, 1_000_000).decode()
    assert "MESSAGE ID" in seen
    done = dlq("redrive", "--all", stderr=theirs)
    assert "12 redriven\n" == done.stdout
    assert "100%" in os.read(ours, 1_000_000).decode()
    os.close(ours)
    os.close(theirs)


class Refusing:
    """A queue of SQS's that always brings the same messages, and refuses some bodies."""

    def __init__(self, *bodies: str, fifo: bool = False) -> None:
        self.bodies = bodies
        self.sent: list[str] = []
        self.receives = 0

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Answer as SQS does."""
        if operation == "receive_message":
            self.receives += 1
            return {
                "Messages": [
                    {"MessageId": body, "ReceiptHandle": body, "Body": body} for body in self.bodies
                ]
            }
        answer: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
        for one in arguments["Entries"]:
            body = one.get("MessageBody", "")
            if "refused" in body:
                answer["Failed"].append({"Id": one["Id"], "Code": "Bad", "Message": "text"})
            else:
                self.sent += [body] if body else []
                answer["Successful"].append({"Id": one["Id"], "MessageId": f"new {body}"})
        return answer


def test_what_cannot_be_sent_stays_and_is_tried_once() -> None:
    """Else --all would never end."""
    client: Any = Refusing("a", "refused", "b")
    with DeadLetters(client, "dlq") as dead:
        failed = [dead.send_on("jobs", batch) for batch in dead.batches()]
    assert ([{"refused": "Bad: text"}], ["a", "b"]) == (failed, client.sent)
    assert 1 + MAX_STALE == client.receives


def test_in_a_fifo_queue_nothing_overtakes_what_was_refused() -> None:
    """Jobs of a group run in order."""
    client: Any = Refusing("a", "refused", "b")
    with DeadLetters(client, "dlq.fifo") as dead:
        failed = [dead.send_on("jobs.fifo", batch) for batch in dead.batches()]
    expected = {"refused": "Bad: text", "b": "it comes after one that was refused"}
    assert ([expected], ["a"], 1) == (failed, client.sent, client.receives)
