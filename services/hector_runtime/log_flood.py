"""Keeps one hot failure from drowning all other lines, and says how often it happened."""

import logging
import time
from collections.abc import Callable

BURST = 10
"""Lines of one kind that may come at once."""
EVERY_S = 5.0
"""After those, one line in so many seconds."""
MOST_KINDS = 1_000

NEVER_HELD_BACK = frozenset({"request served", "run ended"})
"""Lines of which there is exactly one for each thing that happened."""


class Flood(logging.Filter):
    """Lets warnings and errors of one kind pass in moderation; the next one that passes counts the others."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._kinds: dict[tuple[str, str], tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is to be written."""
        if record.levelno < logging.WARNING or record.msg in NEVER_HELD_BACK:
            return True
        kind, now = (record.name, str(record.msg)), self._now()
        left, at, held_back = self._kinds.get(kind, (float(BURST), now, 0))
        left = min(BURST, left + (now - at) / EVERY_S)
        if left < 1:
            self._kinds[kind] = left, now, held_back + 1
            return False
        if len(self._kinds) >= MOST_KINDS:  # messages are constant sentences: a library's are not
            self._kinds.clear()
        self._kinds[kind] = left - 1, now, 0
        if held_back:
            record.held_back = held_back
        return True
