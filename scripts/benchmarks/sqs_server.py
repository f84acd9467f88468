"""An SQS server for benchmarks: standard queues in memory, over SQS's JSON protocol.

python sqs_server.py [DELAY_SECONDS]

Prints its port. It delays every response by DELAY_SECONDS, checks no signatures, and stores nothing
on disk. Besides SQS's own actions it accepts these control requests, as POST with a JSON object:

/fill   {"queue", "body", "count"}: put `count` messages into the queue.
/tell   {}: the calls so far by action, the receives by queue, the number of deleted messages, the
        deletes per second between the first and the last tenth of them, and the time of the last
        delete in each queue, in seconds of the monotonic clock.
/reset  {"delay"}: delete queues, counts and times, and set the delay of responses.
"""

import asyncio
import hashlib
import heapq
import json
import sys
import time
from collections import Counter, deque
from itertools import count

from http_server import serve


class Queue:
    """One queue. waiting: rendered messages; in_flight: by receipt handle."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, str]] = deque()
        self.in_flight: dict[str, tuple[str, str]] = {}
        self.ends: list[tuple[float, str]] = []
        self.pollers: deque[asyncio.Future] = deque()

    def put(self, message: tuple[str, str]) -> None:
        """Add a message and wake a poller."""
        self.waiting.append(message)
        while self.pollers:
            poller = self.pollers.popleft()
            if not poller.done():
                poller.set_result(None)
                break

    def take_back_lapsed(self) -> None:
        """Make messages visible again whose visibility timeout has ended."""
        now = time.monotonic()
        while self.ends and self.ends[0][0] <= now:
            _, handle = heapq.heappop(self.ends)
            message = self.in_flight.pop(handle, None)
            if message is not None:
                self.put(message)


class Sqs:
    """The actions: each takes the fields of a request and returns the response."""

    def __init__(self, delay: float) -> None:
        self.numbers = count(1)
        self.port = 0
        self.reset(delay)

    def reset(self, delay: float) -> None:
        """Forget everything."""
        self.delay = delay
        self.queues: dict[str, Queue] = {}
        self.calls: Counter[str] = Counter()
        self.deleted_at: list[float] = []
        self.last: dict[str, float] = {}
        self.receives: Counter[str] = Counter()

    def queue(self, fields: dict) -> Queue:
        """The queue that a request names; created if it does not exist."""
        return self.queues.setdefault(fields["QueueUrl"].rpartition("/")[2], Queue())

    def message(self, body: str, attributes: dict | None = None) -> tuple[str, str]:
        """A message, rendered except for its receipt handle."""
        rest = {
            "MessageId": f"00000000-0000-4000-8000-{next(self.numbers):012x}",
            "Body": body,
            "MD5OfBody": hashlib.md5(body.encode()).hexdigest(),  # noqa: S324 (SQS's own)
            "Attributes": {
                "SentTimestamp": str(int(time.time() * 1000)),
                "ApproximateReceiveCount": "1",
            },
        }
        if attributes:
            rest["MessageAttributes"] = attributes
        return rest["MessageId"], '{"ReceiptHandle":"%s",' + json.dumps(rest)[1:].replace("%", "%%")

    async def do(self, action: str, fields: dict) -> str:
        """One call."""
        self.calls[action] += 1
        answer = getattr(self, action)(fields)
        return await answer if asyncio.iscoroutine(answer) else answer

    def GetQueueUrl(self, fields: dict) -> str:  # noqa: N802 (the names of AWS)
        """Any queue exists."""
        url = f"http://127.0.0.1:{self.port}/123456789012/{fields['QueueName']}"
        return json.dumps({"QueueUrl": url})

    CreateQueue = GetQueueUrl

    def ListQueues(self, fields: dict) -> str:  # noqa: N802
        """None is listed."""
        return '{"QueueUrls":[]}'

    def GetQueueAttributes(self, fields: dict) -> str:  # noqa: N802
        """The attributes of a new queue, and its depth."""
        waiting = len(self.queue(fields).waiting)
        return json.dumps(
            {
                "Attributes": {
                    "VisibilityTimeout": "30",
                    "MessageRetentionPeriod": "345600",
                    "ApproximateNumberOfMessages": str(waiting),
                }
            }
        )

    def SendMessage(self, fields: dict) -> str:  # noqa: N802
        """One message."""
        queue = self.queue(fields)
        message = self.message(fields["MessageBody"], fields.get("MessageAttributes"))
        queue.put(message)
        digest = hashlib.md5(fields["MessageBody"].encode()).hexdigest()  # noqa: S324
        return json.dumps({"MessageId": message[0], "MD5OfMessageBody": digest})

    async def ReceiveMessage(self, fields: dict) -> str:  # noqa: N802
        """Up to ten messages, or a long poll."""
        queue = self.queue(fields)
        self.receives[fields["QueueUrl"].rpartition("/")[2]] += 1
        queue.take_back_lapsed()
        if not queue.waiting and fields.get("WaitTimeSeconds"):
            poller = asyncio.get_running_loop().create_future()
            queue.pollers.append(poller)
            try:
                await asyncio.wait_for(poller, fields["WaitTimeSeconds"])
            except asyncio.TimeoutError:
                pass
        hidden_until = time.monotonic() + fields.get("VisibilityTimeout", 30)
        rendered = []
        for _ in range(min(fields.get("MaxNumberOfMessages", 1), len(queue.waiting))):
            message = queue.waiting.popleft()
            handle = f"h{next(self.numbers)}"
            queue.in_flight[handle] = message
            heapq.heappush(queue.ends, (hidden_until, handle))
            rendered.append(message[1] % handle)
        return '{"Messages":[' + ",".join(rendered) + "]}" if rendered else "{}"

    def DeleteMessage(self, fields: dict) -> str:  # noqa: N802
        """One message."""
        if self.queue(fields).in_flight.pop(fields["ReceiptHandle"], None) is not None:
            self.deleted_at.append(time.monotonic())
            self.last[fields["QueueUrl"].rpartition("/")[2]] = self.deleted_at[-1]
        return "{}"

    def DeleteMessageBatch(self, fields: dict) -> str:  # noqa: N802
        """Up to ten messages."""
        return self._each(fields, self.DeleteMessage)

    def ChangeMessageVisibility(self, fields: dict) -> str:  # noqa: N802
        """One message."""
        queue, seconds = self.queue(fields), fields["VisibilityTimeout"]
        heapq.heappush(queue.ends, (time.monotonic() + seconds, fields["ReceiptHandle"]))
        return "{}"

    def ChangeMessageVisibilityBatch(self, fields: dict) -> str:  # noqa: N802
        """Up to ten messages."""
        return self._each(fields, self.ChangeMessageVisibility)

    def _each(self, fields: dict, one) -> str:
        for entry in fields["Entries"]:
            one({"QueueUrl": fields["QueueUrl"], **entry})
        done = [{"Id": entry["Id"]} for entry in fields["Entries"]]
        return json.dumps({"Successful": done, "Failed": []})

    def deletes(self) -> dict:
        """What /tell reports about deletes."""
        at = self.deleted_at
        first, last = len(at) // 10, len(at) * 9 // 10
        seconds = at[last] - at[first] if last > first else 0.0
        rate = (last - first) / seconds if seconds else 0.0
        return {"deleted": len(at), "rate": rate, "last": self.last}

    def control(self, path: str, fields: dict) -> str:
        """The control requests."""
        if path == "/fill":
            queue = self.queues.setdefault(fields["queue"], Queue())
            for _ in range(fields["count"]):
                queue.put(self.message(fields["body"]))
            return "{}"
        if path == "/tell":
            return json.dumps({"calls": self.calls, "receives": self.receives, **self.deletes()})
        self.reset(fields["delay"])
        return "{}"


if __name__ == "__main__":
    asyncio.run(serve(Sqs(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)))
