"""The host's end of the line to the shim: orders go out, and the sockets that it made come back."""

import asyncio
import marshal
import os
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MOST = 1 << 16


class ShimFailed(Exception):
    """The shim could not do what it was told, and the plugin was not started."""

    def __init__(self, step: str, number: int, words: str, filename: str | None) -> None:
        super().__init__(f"{step}: {words}")
        self.step, self.number, self.words, self.filename = step, number, words, filename


class ShimGone(Exception):
    """The shim ended without a word."""


@dataclass(slots=True)
class Met:
    """A shim that has become the plugin."""

    pid: int
    """The plugin's own, as this process sees it."""
    listeners: list[socket.socket] = field(default_factory=list)
    """Sockets that listen inside the plugin's network."""
    asks: int = -1
    """A descriptor at which the kernel asks before the plugin makes a process; -1: it does not."""


class Control:
    """Listens for one shim."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._listener.setblocking(False)

    async def meet(self, orders: Mapping[str, Any], before: Callable[[int], None]) -> Met:
        """Give a shim its orders, and wait until it has executed the plugin.

        Args:
            orders: What it is to do.
            before: Called with its process id before it gives anything up, to prepare what only the host can.

        Raises:
            ShimFailed: It could not; nothing of the plugin has run.
            ShimGone: It ended, or was ended, before.
        """
        loop = asyncio.get_running_loop()
        line, _ = await loop.sock_accept(self._listener)
        self.close()
        pid = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        passed: list[int] = []
        met = Met(pid)
        try:
            with line:
                line.setblocking(False)
                await _send(line, marshal.dumps(dict(orders)))
                await self._follow(line, passed, lambda: before(pid))
        except BaseException:
            for descriptor in passed:
                os.close(descriptor)
            raise
        count = len(orders["listeners"])
        met.listeners = [socket.socket(fileno=descriptor) for descriptor in passed[:count]]
        for listener in met.listeners:
            listener.setblocking(False)
        if passed[count:]:
            met.asks = passed[count]
        return met

    def close(self) -> None:
        """Listen no longer."""
        self._listener.close()
        with suppress(FileNotFoundError):
            self.path.unlink()

    async def _follow(self, line: socket.socket, passed: list[int], before: Callable[[], None]) -> None:
        """Read what the shim says until its end of the line is gone, as executing closes it."""
        data, confined = b"", False
        while True:
            piece = await _receive(line, passed)
            if not piece:
                break
            data += piece
            while len(data) >= 4 and len(data) >= 4 + (length := int.from_bytes(data[:4], "big")):
                said = marshal.loads(data[4 : 4 + length])
                data = data[4 + length :]
                if "failed" in said:
                    number, words, filename, step = said["failed"]
                    raise ShimFailed(step, number, words, filename)
                if "ready" in said:
                    before()
                    await _send(line, b"go")
                confined = confined or "confined" in said
        if not confined:
            raise ShimGone("it ended before the plugin was started")


async def _send(line: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(line, len(data).to_bytes(4, "big") + data)


async def _receive(line: socket.socket, passed: list[int]) -> bytes:
    """Receive bytes and descriptors; nothing at the end."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(BlockingIOError):
            data, descriptors, _, _ = socket.recv_fds(line, _MOST, 253)
            passed += descriptors
            return data
        readable = asyncio.Event()
        loop.add_reader(line, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(line)
