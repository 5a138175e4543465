"""Takes the first line off a plugin's standard output; what follows is log."""

import asyncio
from collections.abc import Callable

from .handshake import LINE_BYTES


class FirstLine:
    """Given all that comes on standard output, in pieces; nothing is its end."""

    def __init__(self, rest: Callable[[bytes], None]) -> None:
        """Begin; what comes after the line goes to `rest`, and that it ends."""
        self.line: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        """Without its end; cut if there is none. Never done if nothing was printed."""
        self._rest = rest
        self._begun = bytearray()

    def feed(self, data: bytes) -> None:
        """Take a piece."""
        if self.line.done():
            self._rest(data)
            return
        self._begun += data
        line, newline, rest = bytes(self._begun).partition(b"\n")
        if newline or len(line) > LINE_BYTES or (not data and line):
            self.line.set_result(line[:LINE_BYTES])
            self._begun.clear()
            if left := rest if newline else line[LINE_BYTES:]:
                self._rest(left)
        if not data:
            self._rest(b"")
