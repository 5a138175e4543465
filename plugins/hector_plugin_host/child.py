"""One process of ours and all that it starts: begun in a session of its own, watched, ended as a group.

It is watched by a pidfd and not by a loop's own watcher: so its group is killed while its number is still
its own, on every loop alike, and no thread waits for it.
"""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, cast

PAUSE_S = 0.05
"""How long a plugin that writes faster than it is read has to wait."""
BYTES_AT_ONCE = 1024 * 1024
"""Of one plugin's output that are read before others are looked at."""


class Ended(NamedTuple):
    """How a process ended: with a code, or by a signal."""

    code: int | None
    signal: int | None


class Child:
    """A running process. What it writes goes to two functions, in pieces; empty is the end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
    ) -> None:
        """Start it, in the thread of the loop: it is that thread's death that some sandboxes watch.

        Raises:
            OSError: It cannot be run.
        """
        self._loop = asyncio.get_running_loop()
        self._popen = subprocess.Popen(  # with no function between fork and exec: gRPC's threads forbid any
            list(command),
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._transports: list[asyncio.ReadTransport] = []
        self._pidfd = -1
        self.pid = self._popen.pid
        self.inner_pid = self.pid
        """The plugin itself, where a sandbox stands around it."""
        self.members: Callable[[], Iterable[int]] = tuple
        """Gives what belongs to it and is in no group of its own."""
        self.ended: asyncio.Future[Ended] = self._loop.create_future()
        """How it ended, once it did. Nothing of its group is left then."""
        try:
            self._watch()
        except OSError:  # no descriptor is left
            self._popen.kill()
            self._popen.wait()
            raise
        self._reading = [
            self._loop.create_task(self._read(stream, taker), name=f"read-plugin-{self.pid}")
            for stream, taker in ((self._popen.stdout, stdout), (self._popen.stderr, stderr))
            if stream is not None
        ]

    def close_stdin(self) -> None:
        """Let it know that nobody needs it any more."""
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all of its group."""
        if not self.ended.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end, in the way of the system."""
        if self.inner_pid == self.pid:
            self.signal(signal.SIGTERM)
        else:  # what stands around it would end at once, and take it along
            with suppress(OSError):
                os.kill(self.inner_pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, and all that it started."""
        if self.ended.done():
            return
        for pid in self.members():
            if pid not in (0, 1, os.getpid()):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        self.signal(signal.SIGKILL)

    async def wait(self, limit_s: float) -> bool:
        """Wait at most so long for its end, and say whether it came."""
        await asyncio.wait([self.ended], timeout=limit_s)
        return self.ended.done()

    async def close(self, limit_s: float = 1.0) -> None:
        """Read what an ended process has written last, and let go of its pipes."""
        self.close_stdin()
        await asyncio.wait(self._reading, timeout=limit_s)
        for task in self._reading:
            task.cancel()
        for transport in self._transports:
            transport.close()
        await asyncio.wait(self._reading)

    async def _read(self, stream: IO[bytes], taker: Callable[[bytes], None]) -> None:
        pipe = _Pipe(taker, self._loop)
        try:
            transport, _ = await self._loop.connect_read_pipe(lambda: pipe, stream)
        except BaseException:
            stream.close()
            raise
        self._transports.append(transport)
        try:
            await pipe.closed
        finally:
            transport.close()

    def _watch(self) -> None:
        if hasattr(os, "pidfd_open"):
            self._pidfd = os.pidfd_open(self.pid)
            self._loop.add_reader(self._pidfd, self._ended)
            return

        def wait() -> None:  # systems without pidfd: macOS
            self._popen.wait()
            with suppress(RuntimeError):  # the loop is closed: nobody asks any more
                self._loop.call_soon_threadsafe(self._reap)

        threading.Thread(target=wait, name=f"wait-plugin-{self.pid}", daemon=True).start()

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Not reaped yet, so the number is still its own, and so is the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reap()

    def _reap(self) -> None:
        code = self._popen.wait()
        if not self.ended.done():
            self.ended.set_result(Ended(code, None) if code >= 0 else Ended(None, -code))


class _Pipe(asyncio.Protocol):
    """Hands on what comes, and makes a plugin that writes without end wait now and then."""

    def __init__(self, taker: Callable[[bytes], None], loop: asyncio.AbstractEventLoop) -> None:
        self._taker, self._loop = taker, loop
        self._transport: asyncio.ReadTransport | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._left = BYTES_AT_ONCE
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.ReadTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._taker(data)
        self._left -= len(data)
        if self._left <= 0 and self._transport is not None and self._resume is None:
            self._transport.pause_reading()
            self._resume = self._loop.call_later(PAUSE_S, self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._resume is not None:
            self._resume.cancel()
        self._taker(b"")
        if not self.closed.done():
            self.closed.set_result(None)

    def _go_on(self) -> None:
        self._left, self._resume = BYTES_AT_ONCE, None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
