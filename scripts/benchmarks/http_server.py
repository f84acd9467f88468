"""HTTP for the benchmark servers: the minimum that AWS clients need."""

import asyncio
import json
from typing import Protocol


class Service(Protocol):
    """The service behind the server. delay: how long each response is delayed, in seconds."""

    delay: float

    async def do(self, action: str, fields: dict) -> str:
        """The response to one call. A ValueError becomes a response with status 400."""

    def control(self, path: str, fields: dict) -> str:
        """The response to a request that is not an AWS call."""


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.buffer = b""

    def connection_made(self, transport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Serve a request once it is complete."""
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        headers = {}
        first, *lines = head.decode("latin-1").split("\r\n")
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if headers.get("expect"):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            headers["expect"] = ""
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        fields = json.loads(rest[:length] or b"{}")
        self.serving = asyncio.ensure_future(self.serve(first.split()[1], headers, fields))

    async def serve(self, path: str, headers: dict, fields: dict) -> None:
        """Handle one request."""
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if not action:
            self.answer(self.service.control(path, fields))
            return
        status = "200 OK"
        try:
            text = await self.service.do(action, fields)
        except ValueError as refused:
            status, text = "400 Bad Request", str(refused)
        asyncio.get_running_loop().call_later(self.service.delay, self.answer, text, status)

    def answer(self, text: str, status: str = "200 OK") -> None:
        """Send a response in one write."""
        body = text.encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"x-amzn-RequestId: 0\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


async def serve(service: Service) -> None:
    """Serve on a free loopback port until killed. Prints the port and sets the service's `port`."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    print(service.port, flush=True)
    await server.serve_forever()
