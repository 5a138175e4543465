"""Tasks and streams: what A2A shows of a run's events."""

from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_CANCELED,
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
    RUN_STATE_INPUT_REQUIRED,
    RUN_STATE_REJECTED,
    RUN_STATE_SUBMITTED,
    RUN_STATE_WAITING,
    RUN_STATE_WORKING,
    RunEvent,
    RunState,
    StatusChanged,
)

from .conversation import result_of
from .packing import unpack, url_of

TASK_STATES = {
    RUN_STATE_SUBMITTED: a2a.TASK_STATE_SUBMITTED,
    RUN_STATE_WORKING: a2a.TASK_STATE_WORKING,
    RUN_STATE_WAITING: a2a.TASK_STATE_WORKING,
    RUN_STATE_COMPLETED: a2a.TASK_STATE_COMPLETED,
    RUN_STATE_FAILED: a2a.TASK_STATE_FAILED,
    RUN_STATE_CANCELED: a2a.TASK_STATE_CANCELED,
    RUN_STATE_REJECTED: a2a.TASK_STATE_REJECTED,
    RUN_STATE_INPUT_REQUIRED: a2a.TASK_STATE_INPUT_REQUIRED,
    RUN_STATE_AUTH_REQUIRED: a2a.TASK_STATE_AUTH_REQUIRED,
}
NAMES: "Mapping[RunState.ValueType, str]" = {number: name for name, number in RunState.items()}
"""What states are called in rows; RunState.Name says the same, slowly."""
NUMBERS: "Mapping[str, RunState.ValueType]" = {name: number for number, name in NAMES.items()}
"""And back; a name that a newer version wrote is not in it."""
FINAL = frozenset({RUN_STATE_COMPLETED, RUN_STATE_FAILED, RUN_STATE_CANCELED, RUN_STATE_REJECTED})
INTERRUPTED = frozenset({RUN_STATE_INPUT_REQUIRED, RUN_STATE_AUTH_REQUIRED})

_ARTIFACT = url_of(a2a.Artifact)
_ASKING = frozenset({a2a.TASK_STATE_INPUT_REQUIRED, a2a.TASK_STATE_AUTH_REQUIRED})

TOLD = frozenset({"message_received", "status_changed"})
SHOWN = TOLD | {"text_appended", "artifact_saved"}
"""Kinds of events that a task is made of: what lists show of it, and all of it."""

LISTED_BYTES = 8 * 1024
"""What lists show is kept beside a run up to this size, since it is written anew with every step; where it is
larger, its events tell it."""

NO_ARTIFACTS: frozenset[str] = frozenset()

# Where a stream's event stands in the log: `seq`, or `seq.offset` for text that is not committed.
PLACE = "hector.seq"
SHORT = 200  # characters of a tool's arguments or error that a stream shows


def new_task(run: str, context: str) -> "a2a.Task":
    """Return the task of a run that has no events yet."""
    task = a2a.Task(id=run, context_id=context)
    task.status.state = a2a.TASK_STATE_SUBMITTED
    return task


def fold(task: "a2a.Task", events: Iterable[RunEvent]) -> "a2a.Task":
    """Take committed events into a task, in place, and return it.

    Text that follows text of the same artifact is put there once: a message keeps the room of what its fields
    were before, and an answer that grows by a thousand pieces would take a thousand times its size.
    """
    artifact_id, appends, pieces = "", True, list[str]()
    for event in events:
        kind = event.WhichOneof("event")
        if kind == "text_appended":
            more = event.text_appended
            if pieces and (more.artifact_id != artifact_id or not more.append):
                _append_text(task, artifact_id, "".join(pieces), append=appends)
                pieces.clear()
            if not pieces:
                artifact_id, appends = more.artifact_id, more.append
            pieces.append(more.text)
        elif kind == "artifact_saved":
            if pieces:
                _append_text(task, artifact_id, "".join(pieces), append=appends)
                pieces.clear()
            artifact = a2a.Artifact()
            unpack(event.artifact_saved.artifact, artifact)
            _save(task, artifact, event.artifact_saved.append)
        elif kind in TOLD:
            tell(task, event, kind)
    if pieces:
        _append_text(task, artifact_id, "".join(pieces), append=appends)
    return task


def tell(task: "a2a.Task", event: RunEvent, kind: str | None) -> None:
    """Take a committed event of a task's state or messages into it, in place."""
    if task.status.state in _ASKING:
        _keep_question(task)
    if kind == "status_changed":
        changed = event.status_changed
        task.status.Clear()
        _fill(task.status, changed, task.id, task.context_id, event.time)
        if changed.HasField("metadata"):
            task.metadata.MergeFrom(changed.metadata)
    elif kind == "message_received":
        unpack(event.message_received.message, task.history.add())


def artifact_ids(task: "a2a.Task") -> frozenset[str]:
    """Return which artifacts a task has."""
    artifacts = task.artifacts
    return frozenset([artifact.artifact_id for artifact in artifacts]) if artifacts else NO_ARTIFACTS


def listed(task: "a2a.Task") -> bytes:
    """Return what lists show of a task, to be kept beside its run: all but artifacts, state and time.

    Empty when it is too large. State and time are in the run's row.
    """
    kept = a2a.Task()
    for message in task.history[:]:  # a list: the end of protobuf's own is an error that it formats
        kept.history.add().CopyFrom(message)
    if task.HasField("metadata"):
        kept.metadata.CopyFrom(task.metadata)
    if task.status.HasField("message"):
        kept.status.message.CopyFrom(task.status.message)
    data = kept.SerializeToString()
    return data if len(data) <= LISTED_BYTES else b""


def listed_after(task: "a2a.Task", events: Sequence[RunEvent]) -> bytes | None:
    """Return what `listed` will be after events; None when they leave it as it is."""
    return told_after(task, events, [event.WhichOneof("event") for event in events])[1]


def told_after(
    task: "a2a.Task", events: Sequence[RunEvent], kinds: Sequence[str | None]
) -> "tuple[RunState.ValueType | None, bytes | None]":
    """Return the last state among events, if one sets it, and what `listed` will be after them."""
    state, telling = None, []
    for kind, event in zip(kinds, events, strict=True):
        if kind == "status_changed":
            changed = event.status_changed
            state = changed.state
            if changed.HasField("message") or changed.HasField("metadata") or task.status.HasField("message"):
                telling.append(event)
        elif kind == "message_received":
            telling.append(event)
    if not telling:
        return state, None
    kept = a2a.Task(id=task.id, context_id=task.context_id, history=task.history, status=task.status)
    if task.HasField("metadata"):
        kept.metadata.CopyFrom(task.metadata)
    return state, listed(fold(kept, telling))


def update(event: RunEvent, run: str, context: str) -> "a2a.StreamResponse | None":
    """Return what a stream says about an event; None for what A2A has no word for."""
    kind = event.WhichOneof("event")
    response = a2a.StreamResponse()
    if kind == "artifact_saved":
        saved, shown = event.artifact_saved, response.artifact_update
        held = saved.artifact
        if held.type_url == _ARTIFACT:
            shown.artifact.ParseFromString(held.value)
        else:
            unpack(held, shown.artifact)
        if saved.append:
            shown.append = True
        if saved.last:
            shown.last_chunk = True
        shown.task_id, shown.context_id = run, context
        if saved.HasField("metadata"):
            shown.metadata.CopyFrom(saved.metadata)
        shown.metadata.fields[PLACE].string_value = str(event.seq)  # the short way is slow: it is Python
        return response
    if kind == "text_appended":
        appended, grown = event.text_appended, response.artifact_update
        artifact = grown.artifact
        artifact.artifact_id, artifact.name = appended.artifact_id, "answer"
        artifact.parts.add().text = appended.text
        grown.append, grown.last_chunk = appended.append, appended.last
        grown.task_id, grown.context_id = run, context
        grown.metadata.fields[PLACE].string_value = place(event)
        return response
    if kind == "message_sent":
        unpack(event.message_sent.message, response.message)
        return response
    status = response.status_update
    if kind == "status_changed":
        _fill(status.status, event.status_changed, run, context, event.time)
        if event.status_changed.HasField("metadata"):
            status.metadata.CopyFrom(event.status_changed.metadata)
    elif kind == "tool_started":
        call = event.tool_started.call
        _doing(status, event, "tool_started", call.name, call.id)
        status.metadata["hector.arguments"] = _short(call.arguments_json)
    elif kind == "tool_finished":
        ended = event.tool_finished
        _doing(status, event, "tool_finished", ended.tool, ended.call_id)
        status.metadata["hector.duration_ms"] = ended.duration_ms
        result = result_of(ended)
        status.metadata["hector.result_size"] = sum(len(part.text) for part in result.parts)
        if result.error:
            status.metadata["hector.error"] = _short("".join(part.text for part in result.parts))
    else:
        return None
    status.task_id, status.context_id = run, context
    status.metadata.fields[PLACE].string_value = place(event)
    return response


def place(event: RunEvent) -> str:
    """Return where an event stands, as a stream's reader hands it back: `seq` or `seq.offset`."""
    if event.provisional:
        return f"{event.seq}.{event.offset + len(event.text_appended.text)}"
    return str(event.seq)


def trimmed(task: "a2a.Task", history_length: int | None) -> "a2a.Task":
    """Cut a task's history to its latest messages, in place; None leaves it whole."""
    if history_length is not None and len(task.history) > history_length:
        del task.history[: len(task.history) - history_length]
    return task


def state_of(events: Sequence[RunEvent]) -> "RunState.ValueType | None":
    """Return the last state among the events, if one of them sets it."""
    for event in reversed(events):
        if event.WhichOneof("event") == "status_changed":
            return event.status_changed.state
    return None


def _fill(status: "a2a.TaskStatus", changed: StatusChanged, run: str, context: str, time: Timestamp) -> None:
    """Say in an empty status what changed, field by field: by names at once it takes three times as long."""
    status.state = TASK_STATES.get(changed.state, a2a.TASK_STATE_UNSPECIFIED)
    status.timestamp.CopyFrom(time)
    if changed.HasField("message"):
        unpack(changed.message, status.message)
        status.message.task_id, status.message.context_id = run, context


def _keep_question(task: "a2a.Task") -> None:
    """Make what the agent asked a part of the conversation, once the task goes on. Its progress is none."""
    if task.status.HasField("message"):
        task.history.append(task.status.message)
        task.status.ClearField("message")


def _doing(status: "a2a.TaskStatusUpdateEvent", event: RunEvent, what: str, tool: str, call: str) -> None:
    status.status.state = a2a.TASK_STATE_WORKING
    status.status.timestamp.CopyFrom(event.time)
    status.metadata["hector.event"] = what
    status.metadata["hector.tool"] = tool
    status.metadata["hector.call"] = call


def _short(text: str) -> str:
    """Return what a line has room for; the log has all of it."""
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def _append_text(task: "a2a.Task", artifact_id: str, text: str, *, append: bool) -> None:
    for artifact in task.artifacts[:]:
        if artifact.artifact_id == artifact_id:
            if not append:
                del artifact.parts[:]
            if artifact.parts and _is_plain_text(artifact.parts[-1]):
                artifact.parts[-1].text += text
            elif text or not artifact.parts:
                artifact.parts.add(text=text)
            return
    artifact = task.artifacts.add()
    artifact.artifact_id, artifact.name = artifact_id, "answer"
    artifact.parts.add().text = text


def _is_plain_text(part: "a2a.Part") -> bool:
    """Return whether more text can become part of it."""
    said_of_it = part.media_type or part.filename or part.HasField("metadata")
    return part.WhichOneof("content") == "text" and not said_of_it


def _save(task: "a2a.Task", saved: "a2a.Artifact", append: bool) -> None:
    for artifact in task.artifacts:
        if artifact.artifact_id == saved.artifact_id:
            if append:
                artifact.parts.extend(saved.parts)
            else:
                artifact.CopyFrom(saved)
            return
    task.artifacts.append(saved)
