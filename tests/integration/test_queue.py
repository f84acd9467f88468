"""The queue over real servers: what a receive brings, and what becomes of handles."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest
from botocore.exceptions import ClientError

from captured import captured
from proxy import Proxy
from servers import Aws, connect, create_queue, start_ministack
from servers import Queue as ServerQueue
from sqsjkr_gevent.aws import SqsQueue, make_session
from sqsjkr_gevent.aws.dead_letter import attributes_of, read
from sqsjkr_gevent.config import AccountSection, SqsSection
from sqsjkr_gevent.errors import AccessDenied, QueueError, ReceiptHandleInvalid, StartError
from sqsjkr_gevent.message import Message
from waiting import eventually

both = pytest.mark.servers("ministack", "moto")


class Opened:
    """A queue of the package, and how often each of its operations was called.

    on_call: called after each call, with its operation.
    """

    def __init__(self, aws: Aws, name: str, **section: Any) -> None:
        self.calls: Counter[str] = Counter()
        self.on_call: Callable[[str], None] = lambda operation: None
        account = AccountSection(
            id=aws.account_id, region=aws.region, endpoint_url=aws.endpoint_url
        )
        self.queue = SqsQueue(
            make_session(account),
            account,
            SqsSection(
                queue_name=name, **{"wait_time": 1.0, "visibility_timeout": 60.0, **section}
            ),
            observe=self._observe,
        )

    def _observe(self, operation: str, error: Exception | None) -> None:
        self.calls[operation] += 1
        self.on_call(operation)

    def receive(self, number: int) -> list[Message]:
        """Receive until there are that many."""
        messages: list[Message] = []

        def enough() -> bool:
            messages.extend(self.queue.receive(min(10, number - len(messages))))
            return len(messages) == number

        eventually(enough)
        return messages


@pytest.fixture
def open_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Opened]]:
    """Open queues, with the arguments of Opened; their batchers end with the test."""
    made = []

    def make(aws: Aws, name: str, opened: bool = True, **section: Any) -> Opened:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_key)
        made.append(Opened(aws, name, **section))
        if opened:
            made[-1].queue.open()
        return made[-1]

    yield make
    for one in made:
        one.queue.close(0.0)


def all_at_once(call: Callable[[Message], None], messages: list[Message]) -> list[Any]:
    """Call for each message in a greenlet of its own; the errors, None for success."""
    greenlets = [gevent.spawn(call, message) for message in messages]
    gevent.joinall(greenlets)
    return [greenlet.exception for greenlet in greenlets]


@both
def test_a_received_message_has_all_its_fields(aws, queue, open_):
    """Id, body, handle, times and attributes as SQS gives them."""
    attribute = {"colour": {"DataType": "String", "StringValue": "red"}}
    before = time.time()
    sent = queue.send('{"command": "true"}', MessageAttributes=attribute)
    [message] = open_(aws, queue.name).receive(1)
    assert (sent, '{"command": "true"}', 1, None, False) == (
        message.id,
        message.body,
        message.receive_count,
        message.group_id,
        message.deleted,
    )
    assert before - 1 <= message.sent_at <= time.time() + 1
    assert "red" == message.attributes["colour"]["StringValue"]
    assert message.receipt_handle


@both
@pytest.mark.queue(fifo=True)
def test_a_fifo_message_has_its_group(aws, queue, open_):
    """By which its jobs are put in order."""
    queue.send("a", MessageGroupId="g", MessageDeduplicationId="1")
    [message] = open_(aws, queue.name).receive(1)
    assert "g" == message.group_id


@both
@pytest.mark.queue(visibility_timeout=0)
def test_a_received_message_is_invisible_for_the_configs_time_and_is_counted(aws, queue, open_):
    """Not for the queue's own, which here is none."""
    queue.send("a")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    assert {"visible": 0, "in_flight": 1, "delayed": 0} == queue.counts()
    one.queue.change_visibility(message, 0)
    assert 2 == one.receive(1)[0].receive_count


@both
def test_an_empty_queue_gives_the_empty_list(aws, queue, open_):
    """After one long poll."""
    one = open_(aws, queue.name)
    assert [] == one.queue.receive(10)
    assert 1 == one.calls["receive_message"]


@both
def test_deletes_of_one_moment_share_their_calls(aws, queue, open_):
    """25 deletes cost three calls, and each is confirmed."""
    for number in range(25):
        queue.send(str(number))
    one = open_(aws, queue.name)
    messages = one.receive(25)
    assert [None] * 25 == all_at_once(one.queue.delete, messages)
    assert 3 == one.calls["delete_message_batch"]
    assert [True] * 25 == [message.deleted for message in messages]
    assert queue.is_empty()


@both
def test_one_bad_handle_fails_alone(aws, queue, open_):
    """The others of its batch are deleted; it says that it is no longer ours."""
    for number in range(5):
        queue.send(str(number))
    one = open_(aws, queue.name)
    messages = one.receive(5)
    bad = Message(id="bad", body="", receipt_handle="no-handle", sent_at=0.0)
    errors = all_at_once(one.queue.delete, [*messages[:2], bad, *messages[2:]])
    assert ReceiptHandleInvalid is type(errors.pop(2))
    assert ([None] * 5, False) == (errors, bad.deleted)
    assert 1 == one.calls["delete_message_batch"]
    assert queue.is_empty()


@both
@pytest.mark.parametrize("call", ["change_visibility", "extend_visibility"])
def test_a_change_of_visibility_by_a_bad_handle_says_that_it_is_no_longer_ours(
    aws, queue, open_, call
):
    """And is not repeated for ever."""
    one = open_(aws, queue.name)
    bad = Message(id="bad", body="", receipt_handle="no-handle", sent_at=0.0)
    with pytest.raises(ReceiptHandleInvalid):
        getattr(one.queue, call)(bad, 30)


@both
def test_a_message_with_a_visibility_timeout_of_0_is_visible_at_once(aws, queue, open_):
    """As at a stop; ten of them cost one call."""
    for number in range(10):
        queue.send(str(number))
    one = open_(aws, queue.name)
    messages = one.receive(10)
    assert [None] * 10 == all_at_once(
        lambda message: one.queue.change_visibility(message, 0), messages
    )
    assert {"visible": 10, "in_flight": 0, "delayed": 0} == queue.counts()
    assert 1 == one.calls["change_message_visibility_batch"]


@both
def test_a_redelivered_message_is_deleted_by_its_newest_handle(aws, queue, open_):
    """The old one may be worth nothing by then."""
    queue.send("a")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    one.queue.change_visibility(message, 0)
    [again] = one.receive(1)
    assert (message.id, True) == (again.id, message.receipt_handle != again.receipt_handle)
    message.receipt_handle = again.receipt_handle
    one.queue.delete(message)
    assert queue.is_empty()


def test_a_redelivery_during_a_delete_has_it_repeated_by_the_new_handle(aws, queue, open_):
    """SQS may have deleted by the old handle in vain, whatever it answered."""
    queue.send("a")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    one.queue.change_visibility(message, 0)
    [again] = one.receive(1)

    def redeliver(operation: str) -> None:
        if operation == "delete_message_batch":
            message.receipt_handle = again.receipt_handle

    one.on_call = redeliver
    message.receipt_handle = "of-an-older-delivery"
    one.queue.delete(message)
    assert (2, True) == (one.calls["delete_message_batch"], message.deleted)
    assert queue.is_empty()


@both
def test_an_extended_message_outlives_its_visibility_timeout(aws, queue, open_):
    """A second one, received with it and let go, comes back alone."""
    kept_id, let_go_id = queue.send("kept"), queue.send("let go")
    one = open_(aws, queue.name, visibility_timeout=2.0)
    messages = {message.id: message for message in one.receive(2)}
    one.queue.extend_visibility(messages[kept_id], 600)
    assert [let_go_id] == [message.id for message in one.receive(1)]
    assert [] == one.queue.receive(10)
    one.queue.delete(messages[kept_id])


@both
@pytest.mark.queue(MessageRetentionPeriod="7200")
def test_open_tells_what_the_queue_is_set_to(aws, queue, open_):
    """The retention is the default of the throttler's."""
    one = open_(aws, queue.name, opened=False)
    assert 7200.0 == one.queue.open()


@both
@pytest.mark.queue(fifo=True)
def test_a_fifo_queue_is_opened_like_any_other(aws, queue, open_):
    """What is special about it comes with its messages: their group."""
    queue.send("body", MessageGroupId="g", MessageDeduplicationId="d")
    [message] = open_(aws, queue.name).queue.receive(10)
    assert "g" == message.group_id


@both
def test_a_missing_queue_is_named_with_the_command_that_creates_it(aws, open_):
    """A StartError: to try again would be in vain."""
    one = open_(aws, "no-such-queue", opened=False)
    with pytest.raises(StartError, match=r"'no-such-queue' .*does not exist.*init"):
        one.queue.open()


@both
def test_a_missing_dead_letter_queue_is_named_as_well(aws, queue, open_):
    """The one of the config; invalid messages would have nowhere to go."""
    one = open_(aws, queue.name, opened=False, dead_letter_queue="no-such-dlq")
    with pytest.raises(StartError, match=r"'no-such-dlq' .*does not exist.*init"):
        one.queue.open()


def test_a_server_that_is_not_there_is_no_start_error(aws, open_, monkeypatch):
    """The network may come up later, and the kicker waits for it."""
    from servers import free_port

    gone = replace(aws, endpoint_url=f"http://127.0.0.1:{free_port()}")
    one = open_(gone, "jobs", opened=False)
    with pytest.raises(QueueError):
        one.queue.open()


# With less than all permissions.


@pytest.fixture
def denying(aws: Aws) -> Iterator[Callable[..., Aws]]:
    """The server behind a proxy that denies operations."""
    proxy = Proxy(aws.server.port).start()

    def deny(*operations: str) -> Aws:
        for operation in operations:
            proxy.fail(operation, "403")
        return replace(aws, endpoint_url=proxy.url)

    yield deny
    proxy.stop()


def test_without_get_queue_url_the_url_follows_from_the_name(aws, queue, open_, denying):
    """sqsjkr is told the URL's parts, so its policy need not allow to ask for it."""
    sent = queue.send("a")
    one = open_(denying("GetQueueUrl"), queue.name)
    [message] = one.receive(1)
    assert sent == message.id
    one.queue.delete(message)
    assert queue.is_empty()


@pytest.mark.queue(max_receive_count=5, MessageRetentionPeriod="7200")
def test_without_get_queue_attributes_the_config_says_what_there_is(
    aws, queue, open_, denying, make_queue
):
    """No dead-letter queue but that of the config, and jobs are remembered as long as may be."""
    server = denying("GetQueueAttributes")
    one = open_(server, queue.name, opened=False)
    assert 14 * 86400.0 == one.queue.open()
    queue.send("a")
    [message] = one.receive(1)
    assert not one.queue.dead_letter(message, "why")
    named = make_queue()
    other = open_(server, queue.name, dead_letter_queue=named.name)
    assert other.queue.dead_letter(message, "why")
    assert "a" == eventually(named.receive)[0]["Body"]


@pytest.mark.parametrize("operation", ["ChangeMessageVisibility", "DeleteMessage"])
def test_what_the_kicker_cannot_do_without_is_named_at_the_start(
    aws, queue, open_, denying, operation
):
    """Later it would be found out by jobs that run twice, or again and again."""
    one = open_(denying(operation), queue.name, opened=False)
    with pytest.raises(StartError, match=rf"{queue.name}.*denied; allow sqs:{operation} on it"):
        one.queue.open()


def test_a_missing_queue_is_named_also_where_nobody_may_ask_for_it(aws, open_, denying):
    """Its URL is only a guess then."""
    server = denying("GetQueueUrl", "GetQueueAttributes")
    one = open_(server, "no-such-queue", opened=False)
    with pytest.raises(StartError, match=r"'no-such-queue' .*does not exist.*init"):
        one.queue.open()


def test_a_look_at_a_permission_is_no_failure_of_the_service(aws, queue, open_, denying):
    """It is refused on purpose; a start that went well must not look ill for a minute."""
    errors = []
    one = open_(denying("GetQueueUrl", "GetQueueAttributes"), queue.name, opened=False)
    one.queue._calls._observe = lambda operation, error: errors.append(error)
    one.queue.open()
    assert [None] * 4 == errors


@both
@pytest.mark.queue(max_receive_count=5)
def test_a_dead_letter_has_its_reason_and_its_own_attributes(aws, queue, open_):
    """Body and attributes are as they were sent; the original stays until it is deleted."""
    attribute = {"n": {"DataType": "Number", "StringValue": "7"}}
    sent = queue.send("no JSON", MessageAttributes=attribute)
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    assert one.queue.dead_letter(message, "why")
    [dead] = eventually(queue.dead_letters.receive)
    attributes = {
        name: (one["DataType"], one["StringValue"])
        for name, one in dead["MessageAttributes"].items()
    }
    assert "no JSON" == dead["Body"]
    assert {
        "n": ("Number", "7"),
        "SqsjkrReason": ("String", "why"),
        "SqsjkrMessageId": ("String", sent),
    } == attributes
    assert {"visible": 0, "in_flight": 1, "delayed": 0} == queue.counts()


@both
@pytest.mark.queue(max_receive_count=5)
def test_a_dead_letter_keeps_all_attributes_of_its_sender(aws, queue, open_):
    """Ten, and SQS takes no more: some are packed into one, and a redrive unpacks them."""
    attributes: dict[str, dict[str, Any]] = {
        f"a{number}": {"DataType": "Number", "StringValue": str(number)} for number in range(9)
    }
    attributes["blob"] = {"DataType": "Binary.gif", "BinaryValue": b"\x00\xff"}
    queue.send("no JSON", MessageAttributes=attributes)
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    assert 10 == len(message.attributes)
    one.queue.dead_letter(message, "why")
    [dead] = eventually(queue.dead_letters.receive)
    names = set(dead["MessageAttributes"])
    assert (10, 7) == (len(names), len(names & attributes.keys()))
    assert {"SqsjkrReason", "SqsjkrMessageId", "SqsjkrAttributes"} <= names
    letter = read(dead)
    assert ("why", message.id) == (letter.reason, letter.original_id)
    assert attributes == {
        name: {key: one[key] for key in one if key in ("DataType", "StringValue", "BinaryValue")}
        for name, one in letter.attributes.items()
    }


@pytest.mark.queue(max_receive_count=5)
def test_a_dead_letter_that_was_moved_back_and_fails_again_keeps_its_attributes(aws, queue, open_):
    """SQS's own redrive takes all that a kicker added along."""
    attributes = {
        f"a{number}": {"DataType": "String", "StringValue": str(number)} for number in range(10)
    }
    queue.send("no JSON", MessageAttributes=attributes_of("first-id", attributes, "before"))
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    one.queue.dead_letter(message, "why")
    [dead] = eventually(queue.dead_letters.receive)
    assert (attributes.keys(), "why") == (read(dead).attributes.keys(), read(dead).reason)


def refuse(one: Opened, when: Callable[[dict[str, Any]], object]) -> None:
    """Have SendMessage refused, as SQS does, where its arguments are so."""
    client: Any = one.queue._calls
    call = client.call

    def refusing(operation: str, **arguments: Any) -> dict[str, Any]:
        if operation == "send_message" and when(arguments):
            answer: Any = {
                "Error": {"Code": "InvalidParameterValue", "Message": "by the test"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            raise ClientError(answer, operation)
        answered: dict[str, Any] = call(operation, **arguments)
        return answered

    client.call = refusing


@pytest.mark.queue(max_receive_count=5)
def test_a_message_at_the_size_limit_becomes_a_dead_letter_as_it_was(aws, queue, open_):
    """With a reason it would be too long; else it would be run again and again."""
    mine = {"n": {"DataType": "Number", "StringValue": "7"}}
    queue.send("x" * 1000, MessageAttributes=mine)
    one = open_(aws, queue.name)
    # SQS counts the attributes; the server does not.
    refuse(one, lambda asked: len(asked["MessageBody"] + str(asked["MessageAttributes"])) > 1100)
    [message] = one.receive(1)
    with captured() as logged:
        assert one.queue.dead_letter(message, "the reason why")
    [dead] = eventually(queue.dead_letters.receive)
    assert ("x" * 1000, {"n"}) == (dead["Body"], set(dead["MessageAttributes"]))
    [line] = [line for line in logged if line["level"] == "error"]
    assert ("the reason why", message.id) == (line["reason"], line["job_id"])


@pytest.mark.queue(max_receive_count=5, MaximumMessageSize="2048")
def test_a_dead_letter_that_is_refused_as_it_was_is_a_queue_error(aws, queue, open_):
    """The dead-letter queue takes less than the queue: somebody has to set it right."""
    aws.sqs.set_queue_attributes(
        QueueUrl=queue.dead_letters.url, Attributes={"MaximumMessageSize": "1024"}
    )
    queue.send("x" * 2000)
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    with pytest.raises(QueueError, match=f"sqs:SendMessage on .*{queue.dead_letters.name}"):
        one.queue.dead_letter(message, "why")
    assert 2 == one.calls["send_message"]


@pytest.mark.queue(max_receive_count=5)
def test_whoever_may_not_send_dead_letters_is_told_what_to_allow(aws, queue, open_, denying):
    """It is tried once: without a reason it would be denied as well."""
    queue.send("no JSON")
    one = open_(denying("SendMessage"), queue.name)
    [message] = one.receive(1)
    with pytest.raises(AccessDenied, match=f"sqs:SendMessage on .*{queue.dead_letters.name}"):
        one.queue.dead_letter(message, "why")
    assert 1 == one.calls["send_message"]


@pytest.mark.queue(max_receive_count=5)
def test_a_dead_letter_of_a_fair_queue_keeps_its_group(aws, queue, open_):
    """In a standard queue it names a tenant."""
    queue.send("no JSON", MessageGroupId="tenant")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    assert one.queue.dead_letter(message, "why")
    [dead] = eventually(queue.dead_letters.receive)
    assert "tenant" == dead["Attributes"]["MessageGroupId"]


@pytest.mark.queue(max_receive_count=5)
def test_where_a_standard_queue_takes_no_group_the_dead_letter_goes_without(aws, queue, open_):
    """As the servers did that were there before fair queues; its reason is still there."""
    queue.send("no JSON")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    message.group_id = "tenant"
    refuse(one, lambda asked: "MessageGroupId" in asked)
    assert one.queue.dead_letter(message, "why")
    [dead] = eventually(queue.dead_letters.receive)
    assert "why" == dead["MessageAttributes"]["SqsjkrReason"]["StringValue"]
    assert "MessageGroupId" not in dead["Attributes"]


@both
@pytest.mark.queue(fifo=True, max_receive_count=5)
def test_a_dead_letter_of_a_fifo_queue_stays_in_its_group(aws, queue, open_):
    """A FIFO queue takes no message without one."""
    queue.send("no JSON", MessageGroupId="g", MessageDeduplicationId="1")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    one.queue.dead_letter(message, "why")
    [dead] = eventually(queue.dead_letters.receive)
    assert "g" == dead["Attributes"]["MessageGroupId"]


def test_without_a_dead_letter_queue_nothing_is_sent(aws, queue, open_):
    """The answer says so."""
    queue.send("no JSON")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    assert not one.queue.dead_letter(message, "why")
    assert 0 == one.calls["send_message"]


def test_close_sends_what_waits_in_a_batch(aws, queue, open_):
    """A delete that was asked for just before the stop is made."""
    queue.send("a")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    deleting = gevent.spawn(one.queue.delete, message)
    gevent.sleep(0)
    one.queue.close(30.0)
    deleting.get()
    assert queue.is_empty()


@pytest.fixture
def own_server(tmp_path) -> Iterator[tuple[Aws, ServerQueue]]:
    """A server of this test alone, with a queue, to be stopped."""
    server = start_ministack(tmp_path)
    try:
        aws = connect(server)
        yield aws, create_queue(aws)
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)
        server.stop()


def test_close_is_bounded_where_the_server_hangs(own_server, open_):
    """Each delete under way, in whatever call, is answered with an error."""
    aws, queue = own_server
    for number in range(25):
        queue.send(str(number))
    one = open_(aws, queue.name)
    messages = one.receive(25)
    os.killpg(aws.server.process.pid, signal.SIGSTOP)
    deleting = [gevent.spawn(one.queue.delete, message) for message in messages]
    changing = gevent.spawn(one.queue.change_visibility, messages[0], 0)
    gevent.sleep(0)
    one.queue.close(0.1)
    for greenlet in [*deleting, changing]:
        with pytest.raises(QueueError, match="stopped before SQS confirmed it"):
            greenlet.get(timeout=30)
    assert [False] * 25 == [message.deleted for message in messages]


def test_close_is_bounded_where_the_server_is_gone(own_server, open_):
    """What is repeated for ever ends as well."""
    aws, queue = own_server
    queue.send("a")
    one = open_(aws, queue.name)
    [message] = one.receive(1)
    aws.server.stop()
    deleting = gevent.spawn(one.queue.delete, message)
    eventually(lambda: one.calls["delete_message_batch"] > 1)
    one.queue.close(0.1)
    with pytest.raises(QueueError, match="stopped before SQS confirmed it"):
        deleting.get(timeout=30)
