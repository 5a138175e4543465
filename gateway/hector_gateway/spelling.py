"""Events of streams, and tasks, as JSON: made once for all who are shown the same one in the same way."""

from collections.abc import Callable
from typing import Any

import orjson

from hector_a2a.json_out import to_json

MOST = 256
"""Messages that are kept: readers of one task are shown an event within moments of each other, and who waits
for a task gets the same one until it has changed."""
LARGEST = 4096
"""Bytes of a message that is worth keeping."""

Spelled = tuple[bytes, str | None]
"""JSON, and where the event stands in its task's log."""


class Spelling:
    """How one kind of client has its events."""

    def __init__(
        self,
        read: Callable[[bytes], Any],
        place_of: Callable[[Any], str | None] | None,
        worded: Callable[[Any], Any] | None = None,
    ) -> None:
        """Prepare to spell.

        Args:
            read: Makes a message of its bytes.
            place_of: Says where an event in A2A 1.0 stands; None: nothing of the kind does anywhere.
            worded: Makes of JSON in A2A 1.0 what the client understands; None: it is what it understands.
        """
        self._read, self._place_of, self._worded = read, place_of, worded
        self._kept: dict[bytes, Spelled] = {}

    def spelled(self, wire: bytes) -> Spelled:
        """Return a message, given as it travels, as JSON."""
        kept = self._kept.get(wire)
        if kept is not None:
            return kept
        found: Any = to_json(self._read(wire))
        place = None if self._place_of is None else self._place_of(found)
        spelled = orjson.dumps(found if self._worded is None else self._worded(found)), place
        if len(wire) <= LARGEST:
            if len(self._kept) >= MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[wire] = spelled
        return spelled


class Spellings:
    """The spellings in use."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Spelling] = {}

    def of(self, *kind: object, make: Callable[[], Spelling]) -> Spelling:
        """Return the spelling for a kind of client; there are a few kinds of them."""
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = make()
        return known
