"""Fixtures for real servers; see servers.py. gevent patches pytest before its first line runs."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent import monkey

from kickers import KickerProcess
from redis_server import RedisServer
from servers import Aws, Queue, Servers, Table, create_queue, create_table

LOG_POSITION = pytest.StashKey[dict[Any, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an unpatched process; keep the user's own AWS settings out."""
    if not monkey.is_module_patched("socket"):
        raise pytest.UsageError("run tests by: python -m gevent.monkey --module pytest")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell ignores SIGINT for a background job, and every child would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `servers` on each server it names; on servers in `slow` it is slow."""
    marker = metafunc.definition.get_closest_marker("servers")
    if marker and "aws" in metafunc.fixturenames:
        slow = marker.kwargs.get("slow", ())
        names = [
            pytest.param(name, marks=pytest.mark.slow) if name in slow else name
            for name in marker.args
        ]
        metafunc.parametrize("aws", names, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show what the servers logged during a failed test."""
    report = yield
    if report.failed:
        for aws, position in item.stash.get(LOG_POSITION, {}).items():
            written = aws.server.log_from(position)
            if written:
                report.sections.append((f"{aws.server.name} wrote", written))
    return report


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers of this run; servers.get(name) starts one."""
    running = Servers(tmp_path_factory.mktemp("servers"))
    yield running
    running.stop()


@pytest.fixture
def aws(request: pytest.FixtureRequest, servers: Servers) -> Aws:
    """A server with its clients: ministack, or each server that the mark `servers` names."""
    aws = servers.get(getattr(request, "param", "ministack"))
    request.node.stash[LOG_POSITION] = {aws: aws.server.log.stat().st_size}
    return aws


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of this run, for tests that change nothing in it except their own keys."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def make_redis(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., RedisServer]]:
    """Start Redis servers for this test only. Takes the arguments of RedisServer after the first.

    Not in tmp_path: it contains the test's name, which makes the path too long for a socket.
    """
    servers = []

    def start(*options: str, **more: Any) -> RedisServer:
        servers.append(RedisServer(tmp_path_factory.mktemp("redis"), *options, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def make_queue(aws: Aws) -> Iterator[Callable[..., Queue]]:
    """Create new queues. Takes the arguments of servers.create_queue."""
    queues = []

    def make(**options: Any) -> Queue:
        queues.append(create_queue(aws, **options))
        return queues[-1]

    yield make
    for queue in queues:
        queue.drop()


@pytest.fixture
def queue(request: pytest.FixtureRequest, make_queue: Callable[..., Queue]) -> Queue:
    """A new queue. The mark `queue` sets visibility_timeout, max_receive_count and fifo."""
    marker = request.node.get_closest_marker("queue")
    return make_queue(**(marker.kwargs if marker else {}))


@pytest.fixture
def table(aws: Aws) -> Iterator[Table]:
    """A new lock and throttle table."""
    table = create_table(aws)
    yield table
    table.drop()


@pytest.fixture
def kick(aws: Aws, tmp_path: Path) -> Iterator[Callable[..., KickerProcess]]:
    """Start kicker processes. Takes the arguments of KickerProcess after `aws`."""
    kickers = []

    def start(config: dict[str, Any], **options: Any) -> KickerProcess:
        kickers.append(KickerProcess(tmp_path, aws, config, **options))
        return kickers[-1]

    yield start
    for kicker in kickers:
        kicker.clean_up()
