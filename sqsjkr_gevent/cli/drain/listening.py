"""Checks by the kernel's records, not by HTTP, that a process listens on the stats address."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from ...config import KickerSection
from ...errors import SqsjkrError
from ..stats_client import NoAnswer, connect

#: The state of a listening TCP socket.
#: https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
_LISTEN = "0A"

_PROC = Path("/proc")

#: pid, uid and gid of the peer; for a connection, those of the process that called listen().
#: https://man7.org/linux/man-pages/man7/unix.7.html
_CREDENTIALS = struct.Struct("iII")

#: Seconds for a connection.
WITHIN = 10.0

Address = IPv4Address | IPv6Address


def require_listener(section: KickerSection, pid: int) -> None:
    """Raise SqsjkrError unless this process itself holds the listening socket of the stats address.

    If the system does not show that, for example without /proc, the pid is trusted, except for
    root, who could signal any process.
    """
    address = section.stats_address
    try:
        with connect(section, WITHIN) as connection:
            holds = _listens(connection, pid)
    except PermissionError:
        raise SqsjkrError(f"the kicker, process {pid}, is another user's: use sudo") from None
    except OSError as error:
        raise NoAnswer(f"the kicker at {address} no longer answers ({error})") from None
    if holds is None and os.geteuid() == 0:
        raise SqsjkrError(
            f"this system does not show which process listens at {address}; it claims to be "
            f"process {pid}: send that a SIGTERM if it is the kicker"
        )
    if holds is False:
        raise SqsjkrError(
            f"the server at {address} claims to be process {pid}, but that process does not listen "
            f"there: it may run in a container; stop it there"
        )


def _listens(connection: socket.socket, pid: int) -> bool | None:
    """Whether the process holds the listening socket of this connection; None if unknown."""
    if connection.family == socket.AF_UNIX:
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return bool(_CREDENTIALS.unpack(peer)[0] == pid)
    if not (_PROC / "net" / "tcp").exists():
        return None
    host, port = connection.getpeername()[:2]
    return _holds(pid, _inodes(_plain(ip_address(host.partition("%")[0])), port))


def _holds(pid: int, inodes: set[str]) -> bool:
    """Whether it has one of these sockets open. Raises PermissionError if it is another user's."""
    try:
        return any(_link(one) in inodes for one in (_PROC / str(pid) / "fd").iterdir())
    except FileNotFoundError:
        return False


def _link(descriptor: Path) -> str:
    """The inode of a socket; another text for other descriptors."""
    try:
        return str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
    except FileNotFoundError:
        return ""  # Closed meanwhile.


def _inodes(address: Address, port: int) -> set[str]:
    """The sockets that accept connections to this address: bound to it, else to all addresses."""
    listeners = [one for name in ("tcp", "tcp6") for one in _listeners(name, port)]
    own = {inode for bound, inode in listeners if bound == address}
    return own or {inode for bound, inode in listeners if bound.is_unspecified}


def _listeners(name: str, port: int) -> Iterator[tuple[Address, str]]:
    try:
        text = (_PROC / "net" / name).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return  # Without IPv6.
    for line in text.splitlines()[1:]:
        fields = line.split()
        bound, _, bound_port = fields[1].partition(":")
        if fields[3] == _LISTEN and int(bound_port, 16) == port:
            yield _plain(ip_address(_packed(bound))), fields[9]


def _packed(text: str) -> bytes:
    """The bytes of an address in hex words of 32 bits, in this machine's byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return b"".join(word.to_bytes(4, sys.byteorder) for word in words)


def _plain(address: Address) -> Address:
    """The IPv4 address of an IPv4-mapped one (::ffff:127.0.0.1); others unchanged."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
