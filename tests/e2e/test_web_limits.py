"""Whoever can connect to a kicker cannot take its descriptors away from its jobs."""

import resource
import socket
import time
from contextlib import ExitStack

import psutil
import pytest

from kickers import settings
from waiting import eventually

LIMIT = 256


def few_descriptors():
    """Before the kicker is executed: as a service without LimitNOFILE may have it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def address(kicker):
    """Where its stats are."""
    host, port = kicker.url.removeprefix("http://").split(":")
    return host, int(port)


def first_line(connection):
    """Of an answer."""
    return connection.recv(65536).partition(b"\r\n")[0]


def test_idle_connections_take_no_descriptors_from_jobs(aws, queue, kick):
    """376 of them, without a token, once stopped all jobs; and the health is told all the while."""
    config = settings(aws, queue, kicker={"max_concurrent_num": 100, "stats_token": "t" * 16})
    kicker = kick(config, preexec_fn=few_descriptors).started()
    with ExitStack() as stack:
        for number in range(400):
            one = stack.enter_context(socket.create_connection(address(kicker), timeout=30))
            if number % 2:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b"HTTP/1.1 200 OK" == first_line(one)
        kicker.get("/healthz")  # anything but a 200 raises
        for _ in range(100):
            queue.send({"command": "sleep 600"})
        kicker.says("job started", 100)
        kicker.get("/healthz")
        assert psutil.Process(kicker.pid).num_fds() < LIMIT
    assert [] == kicker.lines("job returned")


@pytest.mark.slow
def test_a_request_sent_byte_by_byte_is_cut_off_by_a_kicker(aws, queue, kick):
    """With the limits that it has; a byte each second renews nothing."""
    kicker = kick(settings(aws, queue)).started()
    with socket.create_connection(address(kicker), timeout=1) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        began = time.monotonic()

        def cut_off():
            try:
                slow.sendall(b"x")
                return not slow.recv(1)
            except TimeoutError:
                return False
            except OSError:
                return True

        eventually(cut_off, deadline=60)
        assert time.monotonic() - began > 5
    kicker.get("/healthz")
