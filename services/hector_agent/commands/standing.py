"""What a run's log says of commands: whether it is paused or about to be, and for what it sleeps."""

from collections.abc import Sequence

from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_WAITING,
    RunEvent,
    RunRetried,
    SignalReceived,
    TimerSet,
)

HELD = "hector.held"
"""In a task's metadata: why it waits to be resumed."""
PAUSED, RECOVERY = "paused", "recovery"
"""Somebody paused it; or its process was gone, and it does not go on by itself."""


def held(own: Sequence[RunEvent]) -> str:
    """Return why a run waits to be resumed: "paused", "recovery", or "" if it does not."""
    for event in reversed(own):
        if event.WhichOneof("event") == "status_changed":
            changed = event.status_changed
            if changed.state != RUN_STATE_WAITING or HELD not in changed.metadata.fields:
                return ""
            return changed.metadata.fields[HELD].string_value
    return ""


def pausing(own: Sequence[RunEvent]) -> SignalReceived | None:
    """Return who has paused a run that has not come to rest since; None: nobody."""
    wanted: SignalReceived | None = None
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "signal_received":
            asked = event.signal_received.signal.WhichOneof("signal")
            if asked == "pause":
                wanted = event.signal_received
            elif asked == "resume":
                wanted = None
        elif kind == "message_received" or (
            kind == "status_changed" and HELD in event.status_changed.metadata.fields
        ):  # a message has it go on, too
            wanted = None
    return wanted


def timers_set(own: Sequence[RunEvent]) -> list[TimerSet]:
    """Return the timers that a run waits for: those that nothing has ended."""
    found: dict[str, TimerSet] = {}
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "timer_set":
            found[event.timer_set.name] = event.timer_set
        elif kind == "timer_ended":
            found.pop(event.timer_ended.name, None)
    return list(found.values())


def wakes(own: Sequence[RunEvent]) -> list[str]:
    """Return the JSON of signals that nothing has taken yet, in order."""
    found: list[str] = []
    waits_for_credentials = False
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "status_changed":
            waits_for_credentials = event.status_changed.state == RUN_STATE_AUTH_REQUIRED
        elif kind == "signal_received" and event.signal_received.signal.wake_json:
            if not waits_for_credentials:  # else it was taken in the same moment
                found.append(event.signal_received.signal.wake_json)
        elif kind == "timer_ended" and event.timer_ended.wake_json and found:
            found.pop(0)
    return found


def again(own: Sequence[RunEvent]) -> frozenset[str]:
    """Return the calls of tools that asked to be made again, and have not been since, by id."""
    found: set[str] = set()
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "timer_set" and event.timer_set.call_id:
            found.add(event.timer_set.call_id)
        elif kind == "tool_started":
            found.discard(event.tool_started.call.id)
        elif kind == "tool_finished":
            found.discard(event.tool_finished.call_id)
    return frozenset(found)


def retry_of(own: Sequence[RunEvent]) -> RunRetried | None:
    """Return at which run another one is another attempt; None: at none."""
    return next((event.run_retried for event in own[:3] if event.HasField("run_retried")), None)


def without_retried(session: Sequence[RunEvent], retried: str = "") -> list[RunEvent]:
    """Return a session's events without what is there twice: what another attempt has behind it.

    Args:
        session: Events of several runs.
        retried: A run that is left out in any case.
    """
    gone = {event.run_retried.run for event in session if event.HasField("run_retried")} | {retried}
    return [event for event in session if event.run not in gone]
