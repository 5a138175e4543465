"""Event payloads: in the event's row up to 1 MiB, else in `blobs`, in pieces. Readers see no difference."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from .compiled import ManyRows, Values
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

_INSERT_EVENTS = ManyRows(
    insert(run_events), ("run_id", "seq", "app", "kind", "needs", "time", "blob_id", "payload")
)
_INSERT_BLOBS = ManyRows(insert(blobs), ("id", "part", "app", "run_id", "size_bytes", "data"))
_PIECES = select(blobs.c.data).where(blobs.c.id == bindparam("blob_id")).order_by(blobs.c.part)


class EventRows:
    """Collects events of many runs, to be inserted with one statement."""

    def __init__(self) -> None:
        self._events: list[Values] = []
        self._blobs: list[Values] = []

    def add(self, app: str, run_id: str, first_seq: int, events: Iterable[NewEvent], time_us: int) -> int:
        """Number a run's events from `first_seq` on, and return the number after the last."""
        seq, rows = first_seq, self._events
        for kind, payload, needs in events:
            blob_id = None
            if len(payload) > INLINE_BYTES:
                payload, blob_id = b"", self._keep(app, run_id, payload)
            rows.append((run_id, seq, app, kind, needs, time_us, blob_id, payload))
            seq += 1
        return seq

    def insert(self, connection: Connection) -> None:
        """Insert what was added; the runs must be there."""
        if self._blobs:
            _INSERT_BLOBS.execute(connection, self._blobs)
        if self._events:
            _INSERT_EVENTS.execute(connection, self._events)

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
