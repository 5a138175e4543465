"""What a reader does with events that a newer version wrote."""

from collections.abc import Collection, Iterable, Sequence

from .errors import EventNeedsNewer
from .values import EventRow

EVENT_FORMAT = 1
"""The event format of this version. It rises when a kind is added that older readers must not skip."""


def readable(
    events: Iterable[EventRow], kinds: Collection[str], *, version: int = EVENT_FORMAT
) -> Sequence[EventRow]:
    """Return the events whose kind the reader knows; what it may skip is left out.

    Raises:
        EventNeedsNewer: An event of another kind says that a reader of this version must not skip it.
    """
    known = []
    for event in events:
        if event.kind in kinds:
            known.append(event)
        elif event.needs > version:
            raise EventNeedsNewer(event.run_id, event.seq, event.kind, event.needs, version)
    return known
