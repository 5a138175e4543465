"""How much of its time a run has left: from its beginning, on the database's clock, whoever works on it."""

from collections.abc import Sequence

from hector.agent.v1 import RunEvent

from .run import PARKED


def worked_s(own: Sequence[RunEvent], now_us: int) -> float:
    """Return for how long a run has been at work, or waited for its turn; not while it waited for somebody.

    Args:
        own: Its events, which have the database's times.
        now_us: The database's time.
    """
    total_us, since_us = 0, None
    for event in own:
        time_us = event.time.ToMicroseconds()
        if event.WhichOneof("event") == "status_changed" and event.status_changed.state in PARKED:
            if since_us is not None:
                total_us += time_us - since_us
            since_us = None
        elif since_us is None and _begins(event):
            since_us = time_us
    if since_us is not None:
        total_us += max(0, now_us - since_us)
    return total_us / 1_000_000


def left_s(limit_s: float, own: Sequence[RunEvent]) -> float:
    """Return what is left of a run's time as of its last event.

    Args:
        limit_s: All of its time.
        own: Its events; empty for a new one.
    """
    return max(0.0, limit_s - worked_s(own, own[-1].time.ToMicroseconds())) if own else limit_s


def _begins(event: RunEvent) -> bool:
    """Say whether a run is at work from this event on: what is only noted while it waits does not count."""
    kind = event.WhichOneof("event")
    return kind in ("message_received", "status_changed")
