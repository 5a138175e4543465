"""The last lines of one plugin, over all its lives, for whoever asks what it said."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

MOST_LINES = 1_000
MOST_CHARACTERS = 256 * 1024
"""Of all lines together; the oldest go first."""


class Line(NamedTuple):
    """One line, or one traceback."""

    number: int
    """Counts up by one, from 1."""
    at: float
    """Seconds since 1970."""
    level: int
    text: str
    fields: Mapping[str, Any]
    generation: int
    pid: int


class Journal:
    """Takes lines, and gives them to those who ask, now or as they come."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._size = 0
        self._written = 0
        self._wake = asyncio.Event()

    def add(
        self, at: float, level: int, text: str, fields: Mapping[str, Any], generation: int, pid: int
    ) -> None:
        """Keep a line."""
        self._written += 1
        self._lines.append(Line(self._written, at, level, text, fields, generation, pid))
        self._size += _size(self._lines[-1])
        while len(self._lines) > MOST_LINES or (self._size > MOST_CHARACTERS and len(self._lines) > 1):
            self._size -= _size(self._lines.popleft())
        wake, self._wake = self._wake, asyncio.Event()
        wake.set()

    def last(self, count: int = MOST_LINES) -> list[Line]:
        """Return the last lines, oldest first."""
        return list(self._lines)[-count:] if count > 0 else []

    async def follow(self, count: int = 0) -> AsyncIterator[Line]:
        """Give the last lines, and then each new one, without end. Who reads too slowly misses the oldest."""
        seen = self._written - min(count, len(self._lines))
        while True:
            wake = self._wake
            for line in [line for line in self._lines if line.number > seen]:
                seen = line.number
                yield line
            if self._written == seen:
                await wake.wait()


def _size(line: Line) -> int:
    return len(line.text) + sum(len(name) + len(str(value)) for name, value in line.fields.items())
