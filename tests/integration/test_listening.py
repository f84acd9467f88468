"""Who listens on the stats address, as the kernel has it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sqsjkr_gevent.cli.drain import listening
from sqsjkr_gevent.cli.drain.listening import require_listener
from sqsjkr_gevent.config import Config, KickerSection
from sqsjkr_gevent.errors import SqsjkrError

NOBODY = 65534


def section(**keys: Any) -> KickerSection:
    """The section of a config with these keys."""
    return Config.new(account_id="1", region="r", queue_name="q", **keys).kicker


@contextmanager
def listener(bound: str, **options: Any) -> Iterator[int]:
    """A socket that listens there; its port."""
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.create_server((bound, 0), family=family, **options) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("bound", "asked", "options"),
    [
        ("127.0.0.1", "127.0.0.1", {}),
        ("127.0.0.1", "localhost", {}),
        ("127.0.0.2", "127.0.0.2", {}),
        ("0.0.0.0", "0.0.0.0", {}),
        ("0.0.0.0", "127.0.0.3", {}),
        ("::1", "::1", {}),
        ("::", "::", {}),
        ("::", "::1", {}),
        ("::", "127.0.0.1", {"dualstack_ipv6": True}),
    ],
)
def test_the_process_that_has_the_socket_listens(
    bound: str, asked: str, options: dict[str, Any]
) -> None:
    """However a host writes the address down; its parent does not."""
    if ":" in bound and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    with listener(bound, **options) as port:
        kicker = section(stats_host=asked, stats_port=port)
        require_listener(kicker, os.getpid())
        with pytest.raises(SqsjkrError, match="does not listen"):
            require_listener(kicker, 2**22 + 1)


def test_of_a_socket_file_the_one_listens_that_called_listen(tmp_path: Path) -> None:
    """Also where it has the same name as another one's."""
    kicker = section(stats_socket=str(tmp_path / "stats.sock"))
    with pytest.raises(SqsjkrError, match="no longer answers"):
        require_listener(kicker, os.getpid())
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "stats.sock"))
        server.listen()
        require_listener(kicker, os.getpid())
        with pytest.raises(SqsjkrError, match="does not listen"):
            require_listener(kicker, os.getppid())


def test_a_process_of_another_user_is_not_believed() -> None:
    """Its descriptors are not shown; whoever may signal it may look at them, too."""
    with listener("127.0.0.1") as port:
        kicker = section(stats_port=port)
        try:
            # As root, become somebody who may not look at what is root's.
            if os.geteuid() == 0:
                os.seteuid(NOBODY)
            with pytest.raises(SqsjkrError, match="is another user's: use sudo"):
                require_listener(kicker, 1)
        finally:
            os.seteuid(os.getuid())


def test_where_nobody_tells_only_root_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Anybody else can signal no more than his own processes."""
    monkeypatch.setattr(listening, "_PROC", tmp_path)
    with listener("127.0.0.1") as port:
        kicker = section(stats_port=port)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        with pytest.raises(SqsjkrError, match="does not show which process listens"):
            require_listener(kicker, 1)
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        require_listener(kicker, 1)
