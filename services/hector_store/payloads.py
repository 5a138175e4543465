"""Event payloads: in the event's row up to 1 MiB, else in `blobs`, in pieces. Readers see no difference."""

from collections.abc import Iterable, Sequence
from itertools import count, repeat
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from .compiled import ManyRows, Values, insert_of
from .ids import new_id
from .schema import INLINE_BYTES, blobs, run_events
from .values import EventRow, NewEvent

EVENT_COLUMNS = (
    run_events.c.app,
    run_events.c.run_id,
    run_events.c.seq,
    run_events.c.kind,
    run_events.c.needs,
    run_events.c.time,
    run_events.c.payload,
    run_events.c.blob_id,
)

_COLUMNS = ("run_id", "seq", "app", "time", "kind", "payload", "needs")
_INSERT_EVENTS = ManyRows(insert_of(run_events, _COLUMNS), _COLUMNS)
_INSERT_LARGE = ManyRows(insert(run_events), (*_COLUMNS, "blob_id"))
_INSERT_BLOBS = ManyRows(insert(blobs), ("id", "part", "app", "run_id", "size_bytes", "data"))
_PIECES = select(blobs.c.data).where(blobs.c.id == bindparam("blob_id")).order_by(blobs.c.part)


class EventRows:
    """Collects events of many runs, to be inserted with one statement."""

    __slots__ = ("_blobs", "_events", "_large")

    def __init__(self) -> None:
        self._events: list[Values] = []
        self._large: list[Values] = []
        """Those with a payload in `_blobs`."""
        self._blobs: list[Values] = []

    def add(self, app: str, run_id: str, first_seq: int, events: Sequence[NewEvent], time_us: int) -> int:
        """Number a run's events from `first_seq` on, and return the number after the last."""
        if not events:
            return first_seq
        kinds, payloads, needs = zip(*events, strict=True)
        same = repeat(run_id), count(first_seq), repeat(app), repeat(time_us)
        rows = zip(*same, kinds, payloads, needs)  # noqa: B905  (some of them have no end)
        if max(map(len, payloads)) <= INLINE_BYTES:
            self._events += rows
        else:
            self._add_large(rows)
        return first_seq + len(events)

    def insert(self, connection: Connection) -> None:
        """Insert what was added; the runs must be there."""
        if self._blobs:
            _INSERT_BLOBS.execute(connection, self._blobs)
        if self._events:
            _INSERT_EVENTS.execute(connection, self._events)
        if self._large:
            _INSERT_LARGE.execute(connection, self._large)

    def _add_large(self, rows: Iterable[Any]) -> None:
        for row in rows:
            run_id, seq, app, time_us, kind, payload, needs = row
            if len(payload) <= INLINE_BYTES:
                self._events.append(row)
            else:
                blob_id = self._keep(app, run_id, payload)
                self._large.append((run_id, seq, app, time_us, kind, b"", needs, blob_id))

    def _keep(self, app: str, run_id: str, payload: bytes) -> str:
        blob_id, size_bytes = new_id(), len(payload)
        for part, start in enumerate(range(0, size_bytes, INLINE_BYTES)):
            data = payload[start : start + INLINE_BYTES]
            self._blobs.append((blob_id, part, app, run_id, size_bytes, data))
        return blob_id


def event_rows(connection: Connection, rows: Iterable[Any]) -> Sequence[EventRow]:
    """Return events selected by `EVENT_COLUMNS`, with their payloads whole."""
    events = []
    for *fields, blob_id in rows:
        if blob_id is not None:
            fields[-1] = b"".join(connection.execute(_PIECES, {"blob_id": blob_id}).scalars())
        events.append(EventRow._make(fields))
    return events
