"""Connects in a plugin's place, where no namespace keeps it from connecting to anything.

The kernel stops the plugin in `connect` and asks. What it wants to reach stands in its memory, which it may
change while it is looked at; so it is never let go on: the host connects to what it has read, and puts the
connection into the plugin's hand.
"""

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, ECONNREFUSED, EFAULT, EINVAL
from pathlib import Path

_ADD_DESCRIPTOR, STILL_VALID = 0x40182103, 0x40082102
_AT_NUMBER = 1
_ADDFD = struct.Struct("=QIIII")
_LONGEST_ADDRESS = 128
_CONNECT_S = 0.2
"""On this machine, to somebody who listens: it takes microseconds, or is not worth waiting for."""


class Mediator:
    """Decides about one plugin's connections: to sockets in its own folder, and to its proxy."""

    def __init__(
        self, scratch: Path, gate: tuple[str, int] | None, refused: Callable[[str, int], None]
    ) -> None:
        """Begin.

        Args:
            scratch: The plugin's private folder.
            gate: Where its proxy is, if it may connect to anything.
            refused: Called with host and port of what it may not connect to.
        """
        self._scratch, self._gate, self._refused = os.path.realpath(scratch), gate, refused
        self.ours: set[int] = set()
        """Ports from which connections to the proxy come that were made here."""

    def answer(self, listener: int, token: int, thread: int, arguments: tuple[int, ...]) -> int:
        """Connect in a plugin's place, and return what its `connect` is to return."""
        number, place, length = arguments[:3]
        try:
            address = read_address(thread, place, length).ljust(28, b"\0")
            flags = _flags_of(thread, number)
            fcntl.ioctl(
                listener, STILL_VALID, struct.pack("=Q", token)
            )  # else it was another thread's memory
            line = self._connected(address)
        except OSError as error:
            return -(error.errno or EACCES)
        with line:
            line.setblocking(not flags & os.O_NONBLOCK)
            kept = os.O_CLOEXEC if flags & os.O_CLOEXEC else 0
            added = _ADDFD.pack(token, _AT_NUMBER, line.fileno(), number, kept)
            try:
                fcntl.ioctl(listener, _ADD_DESCRIPTOR, added)
            except OSError:
                return -ECONNREFUSED
        return 0

    def _connected(self, address: bytes) -> socket.socket:
        (family,) = struct.unpack_from("=H", address)
        if family == socket.AF_UNIX:
            return self._to_file(address)
        if family == socket.AF_INET:
            (port,), host = struct.unpack_from(">H", address, 2), socket.inet_ntop(family, address[4:8])
        elif family == socket.AF_INET6:
            (port,), host = struct.unpack_from(">H", address, 2), socket.inet_ntop(family, address[8:24])
        else:
            raise PermissionError(EACCES, "no such kind of address")
        if (host, port) != self._gate:
            self._refused(host, port)
            raise PermissionError(EACCES, "not the proxy")
        line = socket.socket(socket.AF_INET)
        with _closed_if_it_fails(line):
            line.bind(("127.0.0.1", 0))
            mine = line.getsockname()[1]
            line.settimeout(_CONNECT_S)
            line.connect((host, port))  # nobody is accepted before this thread is back in its loop
            self.ours.add(mine)
        return line

    def _to_file(self, address: bytes) -> socket.socket:
        with unix_place(address, self._scratch) as place:
            line = socket.socket(socket.AF_UNIX)
            with _closed_if_it_fails(line):
                line.setblocking(False)  # who lets others wait in its line does not let the host wait
                line.connect(place)
            return line


@contextmanager
def unix_place(address: bytes, scratch: str) -> Iterator[str]:
    """Give the path at which a plugin's unix address is reached, if it is a socket in the plugin's folder.

    Args:
        address: As the kernel gets it.
        scratch: The plugin's private folder, without links.

    Raises:
        OSError: It is none, or somewhere else.
    """
    if address[:2] != struct.pack("=H", socket.AF_UNIX):
        raise OSError(EINVAL, "another kind of address")
    path = address[2:].split(b"\0", 1)[0].decode(errors="surrogateescape")
    if not path.startswith("/"):
        raise PermissionError(EACCES, "a socket without a file, or with a relative name")
    # What is looked at is what is connected to, whatever becomes of the name meanwhile.
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        inside = found.startswith(f"{scratch}/")
        if not inside or not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise PermissionError(EACCES, "not in its own folder")
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _closed_if_it_fails:  # noqa: N801 - a context manager, as contextlib has them
    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            with suppress(OSError):
                self._line.close()


def read_address(thread: int, place: int, length: int) -> bytes:
    """Return the address that a thread connects to, from its memory.

    Raises:
        OSError: There is none.
    """
    length = min(length, _LONGEST_ADDRESS)
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        try:
            memory.seek(place)
        except (OverflowError, ValueError):  # no place in a memory
            raise PermissionError(EFAULT, "no address") from None
        data = memory.read(length)
    if data is None or len(data) < 2 or len(data) < length:
        raise PermissionError(EACCES, "no address")
    return data


def _flags_of(thread: int, number: int) -> int:
    for line in Path(f"/proc/{thread}/fdinfo/{number}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "flags":
            return int(value, 8)
    return 0
