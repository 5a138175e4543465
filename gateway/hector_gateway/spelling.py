"""Events of streams, and tasks, as JSON: made once for all who are shown the same one in the same way."""

from collections.abc import Callable, Iterable
from typing import Any

from orjson import dumps

from hector_a2a.json_out import to_json

from .one_line import in_one_line
from .pieces import piece_in

MOST = 256
"""Messages that are kept: readers of one task are shown an event within moments of each other, and who waits
for a task gets the same one until it has changed."""
LARGEST = 4096
"""Bytes of a message that is worth keeping."""

Spelled = tuple[bytes, bytes]
"""How an event begins, with its place in its task's log if it has one; and its JSON."""


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

    def spelled(self, wire: bytes) -> bytes:
        """Return a message, given as it travels, as JSON."""
        return (self._kept.get(wire) or self._made(wire))[1]

    def events(self, before: bytes, behind: bytes, wires: Iterable[bytes]) -> bytes:
        """Return messages as server-sent events, each between what stands before and behind its JSON."""
        shown, kept = [], self._kept
        for wire in wires:
            begin, data = kept.get(wire) or self._made(wire)
            shown.append(begin + before + data + behind)
        return b"".join(shown)

    def _made(self, wire: bytes) -> Spelled:
        message, place_of = self._read(wire), self._place_of
        found, place = (None, None) if place_of is None else piece_in(message)
        if found is None:
            found = to_json(message)
            place = None if place_of is None else place_of(found)
        begin = b"data: " if place is None else b"id: %b\ndata: " % place.encode()
        if self._worded is not None:
            found = self._worded(found)
        spelled, kept = (begin, in_one_line(dumps(found))), self._kept
        if len(wire) <= LARGEST:
            if len(kept) >= MOST:
                kept.clear()
            kept[wire] = spelled
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
