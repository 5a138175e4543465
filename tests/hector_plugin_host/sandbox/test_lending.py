"""Connections that the host makes with a plugin's sockets, and that take their time."""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hector_plugin_host.sandbox import lending
from hector_plugin_host.sandbox.lending import Lender, can_take

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")


@pytest.fixture
def full() -> Iterator[socket.socket]:
    """Somebody who listens, and whose line is full until it accepts."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        stack.enter_context(socket.create_connection(listener.getsockname()))
        yield listener


def address_of(listener: socket.socket) -> bytes:
    host, port = listener.getsockname()
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(host) + bytes(8)


async def test_a_socket_that_waits_is_connected_once_somebody_accepts_and_waits_as_before(
    full: socket.socket, tmp_path: Path
) -> None:
    lender, told = Lender(tmp_path), asyncio.get_running_loop().create_future()
    line = socket.socket()
    kept = socket.socket(fileno=line.dup().detach())  # as the plugin's own
    assert lender.connect(line, address_of(full), told.set_result) is None
    assert kept.getblocking()
    full.accept()[0].close()
    async with asyncio.timeout(20):
        assert await told == 0
    with kept, full.accept()[0] as other:
        kept.sendall(b"words")
        assert other.recv(5) == b"words"
    assert line.fileno() == -1


async def test_a_socket_that_does_not_wait_is_told_so_and_nobody_waits_for_it(
    full: socket.socket, tmp_path: Path
) -> None:
    with socket.socket() as line:
        line.setblocking(False)
        assert Lender(tmp_path).connect(line, address_of(full), lambda _: None) == -errno.EINPROGRESS


async def test_only_so_many_are_waited_for_and_none_after_the_end(
    full: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "MOST", 1)
    lender, told = Lender(tmp_path), list[int]()
    lines = [socket.socket(), socket.socket()]
    assert lender.connect(lines[0], address_of(full), told.append) is None
    assert lender.connect(lines[1], address_of(full), told.append) == -errno.EAGAIN
    lender.close()
    assert (lines[0].fileno(), told) == (-1, [])
    lines[1].close()


def test_sockets_can_be_taken_where_tests_are_run_and_not_where_that_is_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_take()
    scope = tmp_path / "ptrace_scope"
    scope.write_text("2\n")
    monkeypatch.setattr(lending, "_TRACING", scope)
    assert not can_take()
