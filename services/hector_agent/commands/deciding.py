"""What becomes of a run that somebody has claimed, by what was asked of it: a pure function of its log."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_CANCELED,
    RUN_STATE_WAITING,
    RUN_STATE_WORKING,
    RunEvent,
    RunState,
    SignalReceived,
    StatusChanged,
    TimerSet,
)
from hector_agent.packing import packed
from hector_agent.run import PARKED
from hector_store import NEVER, Dead

from .standing import HELD, PAUSED, held, pausing, timers_set, wakes
from .timers import ended, wake_us_of
from .wishes import Wish

Fate = Literal["over", "waits", "goes on", "as it was"]


@dataclass(slots=True)
class Decided:
    """What is to be written of a run, and what it does then."""

    fate: Fate
    """"as it was": it was at work, and nothing was asked that changes that."""
    why: str = ""
    events: list[RunEvent] = field(default_factory=list)
    consume: list[int] = field(default_factory=list)
    """Signals that are answered with it."""
    until_us: int = NEVER
    """Until when it waits."""
    wake_json: str = ""
    """What it is woken with."""
    dead: Dead | None = None
    """Why nobody tries it again."""


def decided(
    state: "RunState.ValueType", own: Sequence[RunEvent], wishes: Sequence[Wish], now_us: int, give_up_us: int
) -> Decided:
    """Return what becomes of a run.

    Args:
        state: How it is.
        own: Its events.
        wishes: What was asked of it, and not answered.
        now_us: The database's time.
        give_up_us: When it is given up where it is held after its process was gone.
    """
    found = Decided("as it was", consume=[wish.id for wish in wishes])
    found.events = [RunEvent(signal_received=wish.said) for wish in wishes if wish.kind]
    log = [*own, *found.events]
    if any(wish.kind == "cancel" for wish in wishes):
        found.fate, found.why = "over", "it is cancelled"
        found.events.append(_state(RUN_STATE_CANCELED))
    elif state not in PARKED:
        if (asked := pausing(log)) is not None:
            found.fate, found.why = "waits", "it is paused"
            found.events.append(paused(asked))
    elif state == RUN_STATE_WAITING:
        _of_waiting(found, own, log, wishes, now_us, give_up_us)
    elif state == RUN_STATE_AUTH_REQUIRED and any(wish.kind == "wake_json" for wish in wishes):
        found.fate, found.why = "goes on", "it waited, and is woken"
        found.wake_json = next(wish.said.signal.wake_json for wish in reversed(wishes) if _is_wake(wish))
        found.events.append(_state(RUN_STATE_WORKING))
    else:
        found.fate = "waits"
    return found


def paused(asked: SignalReceived) -> RunEvent:
    """Return the state of a run that is paused, with who did it and how it goes on."""
    changed = StatusChanged(state=RUN_STATE_WAITING)
    changed.metadata[HELD] = PAUSED
    by = f" by {asked.principal}" if asked.principal else ""
    why = f": {asked.signal.pause.reason}" if asked.signal.pause.reason else ""
    told = a2a.Message(message_id=str(uuid.uuid4()), role=a2a.ROLE_AGENT)
    told.parts.add(text=f"It is paused{by}{why}. `hector task resume` has it go on.")
    changed.message.CopyFrom(packed(told))
    return RunEvent(status_changed=changed)


def resumed() -> RunEvent:
    """Return the state of a run that goes on after it was held."""
    event = _state(RUN_STATE_WORKING)
    event.status_changed.metadata[HELD] = ""
    return event


def _of_waiting(
    found: Decided,
    own: Sequence[RunEvent],
    log: Sequence[RunEvent],
    wishes: Sequence[Wish],
    now_us: int,
    give_up_us: int,
) -> None:
    why, timers = held(own), timers_set(own)
    last = next((wish for wish in reversed(wishes) if wish.kind in ("pause", "resume")), None)
    if last is not None and last.kind == "pause" and why != PAUSED:
        found.fate, found.why = "waits", "it is paused"
        found.events.append(paused(last.said))
        return
    if why and (last is None or last.kind == "pause"):
        found.fate, found.until_us = "waits", NEVER if why == PAUSED else give_up_us
        return
    due = [timer for timer in timers if wake_us_of(timer) <= now_us]
    if due:  # then all calls are made that wait to be made again
        due += [timer for timer in timers if timer.call_id and timer not in due]
    due += _woken(found, timers, log, due)
    if due or not timers:
        found.fate = "goes on"
        found.why = "it is resumed" if why else "its timer is over" if not found.wake_json else "it is woken"
        found.events.append(resumed() if why else _state(RUN_STATE_WORKING))
        return
    found.fate, found.until_us = "waits", min(map(wake_us_of, timers))
    if why:
        waiting = _state(RUN_STATE_WAITING)
        waiting.status_changed.metadata[HELD] = ""
        found.events.append(waiting)


def _woken(
    found: Decided, timers: Sequence[TimerSet], log: Sequence[RunEvent], due: Sequence[TimerSet]
) -> list[TimerSet]:
    """End the timers that are due, and one that a signal ends; return the latter."""
    found.events += [ended(timer) for timer in due]
    signals = wakes(log)
    for timer in timers:
        if timer.takes_signal and timer not in due and signals:
            found.wake_json = signals[0]
            found.events.append(ended(timer, signals[0]))
            return [timer]
    return []


def _state(state: "RunState.ValueType") -> RunEvent:
    return RunEvent(status_changed=StatusChanged(state=state))


def _is_wake(wish: Wish) -> bool:
    return wish.kind == "wake_json"
