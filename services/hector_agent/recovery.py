"""Whether a run whose process is gone goes on by itself: what `storage.checkpoint` says of its log."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

import grpc

from hector.agent.v1 import RunError, RunEvent
from hector_store.checkpoint_config import CheckpointConfig

from .view import INTERRUPTED

HELD = "hector.held"
"""In a task's metadata: it waits to be resumed, and why."""
_PROGRESS = frozenset(
    {
        *("message_received", "signal_received", "model_answered", "tool_started", "tool_finished"),
        *("artifact_saved", "state_changed", "step_started", "step_finished", "messages_added"),
    }
)


class Fate(Enum):
    """What becomes of a run whose owner is gone."""

    GOES_ON = "goes on"
    WAITS = "waits to be resumed"
    IS_OVER = "is over"
    """Runs are not gone on with."""
    IS_TOO_OLD = "is too old"
    ENDS_ITS_OWNERS = "ends its owners"


class Checkpoint(NamedTuple):
    """A place in a run's log from which it may be gone on with."""

    seq: int
    """The last event before it."""
    iteration: int
    """Answers of models before it."""
    why: str
    """"before_llm", "after_tools", "person" or "interval"."""


def checkpoints(own: Sequence[RunEvent], config: CheckpointConfig) -> list[Checkpoint]:
    """Return the checkpoints in a run's log, in order."""
    return list(_checkpoints(own, config)) if config.enabled else []


def fate(own: Sequence[RunEvent], config: CheckpointConfig, now_us: int) -> Fate:
    """Return what becomes of a run whose owner is gone.

    Args:
        own: Its events.
        config: What is configured.
        now_us: The database's time.
    """
    recovery = config.recovery
    if not config.enabled:
        return Fate.IS_OVER
    if own and recovery.timeout and now_us - own[-1].time.ToMicroseconds() > recovery.timeout * 1_000_000:
        return Fate.IS_TOO_OLD
    if tries_since_progress(own) >= recovery.max_attempts:
        return Fate.ENDS_ITS_OWNERS
    if not recovery.auto_resume or (not recovery.auto_resume_hitl and _had_a_person(own)):
        return Fate.WAITS
    return Fate.GOES_ON if any(_checkpoints(own, config)) else Fate.WAITS


def tries_since_progress(own: Sequence[RunEvent]) -> int:
    """Return how many owners a run has had since it last got anywhere."""
    tries = 0
    for event in reversed(own):
        kind = event.WhichOneof("event")
        if kind in _PROGRESS:
            break
        tries += kind == "owner_changed"
    return tries


def is_held(own: Sequence[RunEvent]) -> bool:
    """Return whether a run waits to be resumed."""
    for event in reversed(own):
        if event.WhichOneof("event") == "status_changed":
            return HELD in event.status_changed.metadata.fields and bool(
                event.status_changed.metadata.fields[HELD].string_value
            )
    return False


def end_of(found: Fate, config: CheckpointConfig) -> RunError:
    """Return why a run that is not gone on with has ended."""
    if found is Fate.IS_TOO_OLD:
        limit = config.recovery.timeout
        return RunError(
            reason="RECOVERY_TIMED_OUT",
            code=grpc.StatusCode.DEADLINE_EXCEEDED.value[0],
            message=f"its server was gone for longer than {limit:g} s (storage.checkpoint.recovery.timeout); "
            "what it had written is kept: send the message again",
            metadata={"timeout_s": f"{limit:g}"},
        )
    if found is Fate.ENDS_ITS_OWNERS:
        return RunError(
            reason="RUN_KILLS_WORKERS",
            code=grpc.StatusCode.ABORTED.value[0],
            message=f"{config.recovery.max_attempts} servers in a row stopped while they worked on this and "
            "got nowhere with it (storage.checkpoint.recovery.max_attempts); "
            "what it had written is kept",
            metadata={"tries": str(config.recovery.max_attempts)},
        )
    return RunError(
        reason="INTERRUPTED",
        code=grpc.StatusCode.UNAVAILABLE.value[0],
        message="the server stopped while it worked on this, and storage.checkpoint.enabled is false; "
        "what it had written is kept: send the message again",
    )


def _checkpoints(own: Sequence[RunEvent], config: CheckpointConfig) -> Iterator[Checkpoint]:
    is_event = config.strategy != "interval"
    every, every_us = config.interval_iterations, int(config.interval_s * 1_000_000)
    iteration, open_calls = 0, set[str]()
    last_us = own[0].time.ToMicroseconds() if own else 0
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "tool_started":
            open_calls.add(event.tool_started.call.id)
        elif kind == "model_answered":
            iteration += 1
        why = ""
        if is_event and kind == "message_received":
            why = "before_llm" if config.before_llm else "person" if iteration else ""
        elif is_event and kind == "turn_parked":
            why = "person"
        elif is_event and kind == "tool_finished":
            open_calls.discard(event.tool_finished.call_id)
            if config.after_tools:
                why = "after_tools"
            elif config.before_llm and not open_calls:
                why = "before_llm"
        if not why and every and kind == "model_answered" and iteration % every == 0:
            why = "interval"
        now_us = event.time.ToMicroseconds()
        if not why and every_us and now_us - last_us >= every_us:
            why = "interval"
        if why:
            last_us = now_us
            yield Checkpoint(event.seq, iteration, why)


def _had_a_person(own: Sequence[RunEvent]) -> bool:
    return any(
        event.WhichOneof("event") == "status_changed" and event.status_changed.state in INTERRUPTED
        for event in own
    )
