"""Connects with a plugin's own sockets, where it may connect to anything but this machine's unix sockets.

Which kind a socket is, and what it is to reach, the plugin could change between a look and the call. So the
host takes the socket itself, looks at that one, and connects it in the plugin's place.
"""

import asyncio
import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .mediating import STILL_VALID, read_address, unix_place

_PIDFD_GETFD = 438
"""The same on all processors."""
_TRACING, _OWN_CHILDREN = Path("/proc/sys/kernel/yama/ptrace_scope"), 1
"""Whom one may look into: from 2 on, nobody without privileges."""
MOST = 200
"""Connections at once that take their time, each with a descriptor of the host."""


class Lender:
    """Makes one plugin's connections."""

    def __init__(self, scratch: Path) -> None:
        """Begin.

        Args:
            scratch: The plugin's private folder, where the sockets are that it may reach.
        """
        self._scratch = os.path.realpath(scratch)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, socket.socket] = {}

    def answer(
        self,
        listener: int,
        token: int,
        thread: int,
        arguments: tuple[int, ...],
        later: Callable[[int], None],
    ) -> int | None:
        """Connect in a plugin's place, and return what its `connect` is to return; None: `later` is told."""
        number, place, length = arguments[:3]
        try:
            address = read_address(thread, place, length)
            line = _taken(thread, number)
        except OSError as error:
            return -(error.errno or errno.EACCES)
        try:
            fcntl.ioctl(listener, STILL_VALID, struct.pack("=Q", token))  # else it was another thread's
            return self.connect(line, address, later)
        except OSError as error:
            return -(error.errno or errno.EACCES)
        finally:
            if line.fileno() not in self._waiting:
                line.close()

    def connect(self, line: socket.socket, address: bytes, later: Callable[[int], None]) -> int | None:
        """Connect a socket, and return what `answer` does; it is kept here until `later` is told.

        Raises:
            OSError: It may not, or cannot.
        """
        if line.family == socket.AF_UNIX:
            return self._to_file(line, address)
        return self._anywhere(line, address, later)

    def close(self) -> None:
        """Wait for none of them any more."""
        for number, line in self._waiting.items():
            self._loop.remove_writer(number)
            line.close()
        self._waiting.clear()

    def _to_file(self, line: socket.socket, address: bytes) -> int:
        with unix_place(address, self._scratch) as place, _unblocked(line):
            line.connect(place)
        return 0

    def _anywhere(self, line: socket.socket, address: bytes, later: Callable[[int], None]) -> int | None:
        blocks = not fcntl.fcntl(line.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK
        if blocks and len(self._waiting) >= MOST:
            return -errno.EAGAIN
        with _unblocked(line):
            result = self._libc.connect(line.fileno(), address, len(address))
            number = ctypes.get_errno() if result < 0 else 0
        if not (blocks and number == errno.EINPROGRESS):
            return -number
        self._waiting[line.fileno()] = line
        self._loop.add_writer(line.fileno(), self._arrived, line, later)
        return None

    def _arrived(self, line: socket.socket, later: Callable[[int], None]) -> None:
        self._loop.remove_writer(line.fileno())
        del self._waiting[line.fileno()]
        with line:
            later(-line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


class _unblocked:  # noqa: N801 - a context manager, as contextlib has them
    """Keeps a call with a socket from waiting; the flag is the plugin's, too, and is given back."""

    def __init__(self, line: socket.socket) -> None:
        self._number = line.fileno()
        self._flags = fcntl.fcntl(self._number, fcntl.F_GETFL)

    def __enter__(self) -> None:
        fcntl.fcntl(self._number, fcntl.F_SETFL, self._flags | os.O_NONBLOCK)

    def __exit__(self, *_: object) -> None:
        fcntl.fcntl(self._number, fcntl.F_SETFL, self._flags)


def can_take() -> bool:
    """Say whether another process's sockets can be taken here; Docker's usual profile forbids it."""
    with suppress(OSError, ValueError):
        if int(_TRACING.read_text()) > _OWN_CHILDREN:
            return False
    try:
        os.close(_descriptor(os.getpid(), 0))
    except OSError as error:
        return error.errno == errno.EBADF
    return True


def _taken(thread: int, number: int) -> socket.socket:
    for line in Path(f"/proc/{thread}/status").read_bytes().splitlines():
        if line.startswith(b"Tgid:"):
            descriptor = _descriptor(int(line[5:]), number)
            try:
                return socket.socket(fileno=descriptor)
            except OSError:
                with suppress(OSError):
                    os.close(descriptor)
                raise
    raise ProcessLookupError(errno.ESRCH, "no such process")


def _descriptor(pid: int, number: int) -> int:
    process = os.pidfd_open(pid)
    try:
        found: int = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0)
        if found < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return found
    finally:
        os.close(process)
