"""Events and the rows of the log that hold them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from operator import methodcaller

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


def kinds_of(events: Iterable[RunEvent]) -> list[str | None]:
    """Return of which kind each event is; None: it says nothing."""
    return [*map(_kind_of, events)]


def rows_of(events: Sequence[RunEvent], kinds: Sequence[str | None]) -> list[NewEvent]:
    """Return new events as the log keeps them, as `row_of` does, where their kinds are known."""
    if None in kinds:
        kinds = [kind or "" for kind in kinds]
    # Without a step in Python for each of them: a named tuple's own way to be made is a function of several.
    return [*map(_row, zip(kinds, map(RunEvent.SerializeToString, events), repeat(0), strict=False))]


def place_all(events: Sequence[RunEvent], run: str, seq: int, time_us: int) -> None:
    """Say in events that were written just now where they stand in the log, and since when."""
    seconds, nanos = time_us // 1_000_000, time_us % 1_000_000 * 1000
    for event in events:
        event.run, event.seq = run, seq
        time = event.time
        time.seconds, time.nanos = seconds, nanos
        seq += 1


_kind_of = methodcaller("WhichOneof", "event")
_row: Callable[[tuple[object, ...]], NewEvent] = partial(tuple.__new__, NewEvent)
