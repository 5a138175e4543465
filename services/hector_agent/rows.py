"""Events and the rows of the log that hold them."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from hector.agent.v1 import RunEvent
from hector_store import EventRow, NewEvent


def time_of(time_us: int) -> Timestamp:
    """Return a time of the database's as events have it."""
    return Timestamp(seconds=time_us // 1_000_000, nanos=time_us % 1_000_000 * 1000)


def set_time(time: Timestamp, time_us: int) -> None:
    """Make it a time of the database's; protobuf's own way there takes forty steps of Python."""
    time.seconds, time.nanos = time_us // 1_000_000, time_us % 1_000_000 * 1000


def event_of(row: EventRow) -> RunEvent:
    """Return a stored event whole again."""
    event = RunEvent.FromString(row.payload)
    event.run, event.seq = row.run_id, row.seq
    set_time(event.time, row.time_us)
    return event


def row_of(event: RunEvent) -> NewEvent:
    """Return a new event as the log keeps it. It has no place yet: that stands in columns, not in here."""
    return NewEvent(event.WhichOneof("event") or "", event.SerializeToString())


def kinds_of(events: Iterable[RunEvent]) -> list[str]:
    """Return of which kind each event is."""
    return [event.WhichOneof("event") or "" for event in events]
