"""Which of this host's processes listens on the stats address? By /proc, so on Linux only."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..config import KickerSection

#: The state of a TCP socket that listens.
#: https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
_LISTEN = "0A"

_NET = Path("/proc/net")


def listens(section: KickerSection, pids: Iterable[int]) -> bool:
    """Whether one of these processes does; True where that cannot be found out."""
    if not _NET.exists():
        return True
    if section.stats_socket is None:
        wanted = set(_of_port(section.port))
    else:
        wanted = set(_of_file(Path(section.stats_socket).name))
    return any(_holds(pid, wanted) for pid in pids)


def _holds(pid: int, wanted: set[str]) -> bool:
    try:
        return any(_link(one) in wanted for one in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # Another user's: it cannot be looked at, and gets no signal from us either.


def _link(descriptor: Path) -> str:
    """The inode of the socket it is; something else where it is none."""
    try:
        return str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
    except FileNotFoundError:
        return ""  # Closed meanwhile.


def _of_port(port: int) -> Iterator[str]:
    """The inodes of sockets that listen on a port."""
    for fields in (*_lines("tcp"), *_lines("tcp6")):
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _of_file(name: str) -> Iterator[str]:
    """The inodes of sockets that are bound to a file of that name, in whatever directory."""
    for fields in _lines("unix", 7):
        if len(fields) > 7 and Path(fields[7]).name == name:
            yield fields[6]


def _lines(name: str, splits: int = -1) -> Iterator[list[str]]:
    try:
        text = (_NET / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines()[1:]:
        yield line.split(maxsplit=splits)
