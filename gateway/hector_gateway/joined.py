"""An answer's head and the beginning of its body, sent in one piece."""

import asyncio
from typing import Any

_INTERIM = b"HTTP/1.1 1"
"""How a head begins that is not the answer's own, as 100 Continue; it must not wait."""


class Joined:
    """A transport for one answer. It holds the head back until what follows it, which is at once.

    uvicorn writes the two apart, and uvloop makes a system call of each write. For answers that have a body:
    after the head of a HEAD request's answer nothing follows.
    """

    __slots__ = ("_head", "_is_begun", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head, self._is_begun = b"", False

    def write(self, data: bytes) -> None:
        """Send data, or hold it if it is the answer's head.

        What is written to a connection that broke is lost, as it would be a moment later: uvloop says so
        before it says that the connection broke.
        """
        try:
            if self._is_begun:
                self._transport.write(self._taken() + data if self._head else data)
            elif data.startswith(_INTERIM):
                self._transport.write(data)
            else:
                self._head, self._is_begun = data, True
        except RuntimeError:
            if not self._transport.is_closing():
                raise

    def close(self) -> None:
        """Close the connection once everything was sent."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def _taken(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
