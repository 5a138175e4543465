"""The line between a supervisor and a worker: whole objects, in order, and nobody waits for the other."""

import asyncio
import logging
import pickle
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

log = logging.getLogger(__name__)

Told = tuple[Any, ...]
"""What is said: a word, and what belongs to it."""

LENGTH_BYTES = 4
READ_BYTES = 65536


def framed(told: Told) -> bytes:
    """Return what is sent. Both ends are one program, and forked from one process: it is pickled."""
    body = pickle.dumps(told)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Line:
    """The supervisor's end: never waits, because a worker may have been stopped in the middle of anything."""

    def __init__(self, place: socket.socket) -> None:
        place.setblocking(False)
        self._place = place
        self._out, self._in = bytearray(), bytearray()

    def fileno(self) -> int:
        """Return what can be waited for."""
        return self._place.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Say whether something has not been sent yet."""
        return bool(self._out)

    def say(self, *told: Any) -> None:
        """Send something, now or when the other end reads again."""
        self._out += framed(told)
        self.flush()

    def flush(self) -> None:
        """Send what can be sent."""
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while self._out:
                del self._out[: self._place.send(self._out)]

    def heard(self) -> Iterator[Told]:
        """Return what has come since the last time."""
        with suppress(BlockingIOError, ConnectionResetError):
            while some := self._place.recv(READ_BYTES):
                self._in += some
        while len(self._in) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._in[:LENGTH_BYTES], "big")
            if len(self._in) < end:
                return
            body = bytes(self._in[LENGTH_BYTES:end])
            del self._in[:end]
            yield pickle.loads(body)  # from a process that we forked

    def close(self) -> None:
        """Hang up."""
        self._place.close()


class WorkerLine:
    """A worker's end. Use `hearing` in a task of its own."""

    def __init__(self, place: socket.socket) -> None:
        self._place = place
        place.setblocking(False)

    def say(self, *told: Any) -> None:
        """Tell the supervisor; what a worker says is short."""
        with suppress(OSError):
            self._place.send(framed(told))

    async def hearing(self, hear: Callable[[Told], Awaitable[None]]) -> None:
        """Take what the supervisor says, one after the other, until it hangs up."""
        loop, heard = asyncio.get_running_loop(), bytearray()
        while some := await loop.sock_recv(self._place, READ_BYTES):
            heard += some
            while len(heard) >= LENGTH_BYTES:
                end = LENGTH_BYTES + int.from_bytes(heard[:LENGTH_BYTES], "big")
                if len(heard) < end:
                    break
                body = bytes(heard[LENGTH_BYTES:end])
                del heard[:end]
                await hear(pickle.loads(body))  # from the process that forked this one
