"""Whose a key of the state is, and what events say of state and artifacts that is kept beside the log.

`temp:` keys belong to one run, in memory, and are never written. `user:` and `app:` keys outlive the session.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

import hector_a2a as a2a
from hector.agent.v1 import ArtifactSaved, RunEvent
from hector.common.v1 import Artifact, Part
from hector_a2a.json_out import encode
from hector_agent.conversation import from_a2a
from hector_agent.packing import unpack
from hector_store import NOTHING_KEPT, Kept, NewArtifact, Scopes, StateChange
from hector_store.kept import Scope

log = logging.getLogger(__name__)

TEMPORARY, OF_USER, OF_APP = "temp:", "user:", "app:"
MOST_KEY = 128
"""Characters of a key, without the word that names its scope."""
MOST_VALUE_BYTES = 1 << 20

CHANGING = frozenset({"state_changed", "tool_finished"})
"""Kinds of events that say more than is written."""
KEPT = frozenset({"state_changed", "artifact_saved"})
"""Kinds of events that say what is kept beside the log."""


def complaint(delta: Mapping[str, object]) -> str:
    """Say what is wrong with keys or values that are to be set; empty when nothing is."""
    for key, value in delta.items():
        if key.startswith(TEMPORARY):
            continue
        name = _split(key)[1]
        if len(name) > MOST_KEY:
            return f"the key {name[:40]!r}… has {len(name)} characters (allowed: {MOST_KEY})"
        if "\0" in name or name.endswith(" "):
            return f"the key {name!r} has a NUL, or ends with a space"
        if len(json.dumps(value)) > MOST_VALUE_BYTES:
            return f"the value of {key!r} is larger than {MOST_VALUE_BYTES:,} bytes; make it an artifact"
    return ""


def merged(scopes: Scopes) -> dict[str, object]:
    """Return the state of all scopes as agents see it."""
    if not (scopes["session"] or scopes["user"] or scopes["app"]):
        return {}
    state: dict[str, object] = {key: json.loads(value) for key, value in scopes["session"].items()}
    state |= {f"{OF_USER}{key}": json.loads(value) for key, value in scopes["user"].items()}
    state |= {f"{OF_APP}{key}": json.loads(value) for key, value in scopes["app"].items()}
    return state


def changes_of(delta: Mapping[str, object], owner: str, context: str, event: int = 0) -> list[StateChange]:
    """Return what a change sets and removes, key by key."""
    found = []
    for key, value in delta.items():
        if key.startswith(TEMPORARY):
            continue
        scope, name = _split(key)
        whose = {"session": (owner, context), "user": (owner, ""), "app": ("", "")}
        found.append(StateChange(scope, *whose[scope], name, b"" if value is None else _json(value), event))
    return found


def lasting(events: Sequence[RunEvent]) -> Sequence[RunEvent]:
    """Return events as they are written: without what is not, and without what events of their own say."""
    if not any(_is_to_change(event) for event in events):
        return events
    found = []
    for event in events:
        kind = event.WhichOneof("event")
        if kind == "state_changed":
            delta = json.loads(event.state_changed.delta_json or "{}")
            kept = {key: value for key, value in delta.items() if not key.startswith(TEMPORARY)}
            if not kept:
                continue
            event.state_changed.delta_json = json.dumps(kept, ensure_ascii=False)
        elif kind == "tool_finished":
            event.tool_finished.result.ClearField("state_delta_json")
            del event.tool_finished.result.artifacts[:]
        found.append(event)
    return found


def kept_of(events: Sequence[RunEvent], app: str, owner: str, context: str, first: int = 0) -> Kept:
    """Return what events say of state and artifacts, to be written with them.

    Args:
        events: What is written, in order.
        app: The app.
        owner: Whose the session is.
        context: The session.
        first: How many other events are written before these in the same step.
    """
    if not [event for event in events if event.artifact_saved.last or event.HasField("state_changed")]:
        return NOTHING_KEPT  # pieces, as a rule
    states: list[StateChange] = []
    artifacts: list[NewArtifact] = []
    for index, event in enumerate(events):
        kind = event.WhichOneof("event")
        if kind == "state_changed":
            delta = json.loads(event.state_changed.delta_json or "{}")
            states += changes_of(delta, owner, context, first + index)
        elif kind == "artifact_saved" and event.artifact_saved.last and not event.artifact_saved.append:
            made = _version_of(event.artifact_saved, owner, context)
            if made is not None:
                artifacts.append(made)
    return Kept(tuple(states), tuple(artifacts), app) if states or artifacts else NOTHING_KEPT


def new_artifact(artifact: Artifact, owner: str, context: str) -> NewArtifact:
    """Return an artifact as it is kept; one whose name begins with "user:" belongs to all sessions."""
    data = artifact.SerializeToString(deterministic=True)
    return NewArtifact(
        owner,
        "" if artifact.name.startswith(OF_USER) else context,
        artifact.name,
        data,
        len(data),
        hashlib.sha256(data).hexdigest(),
        _media_type(artifact.parts),
        artifact.description[:1024],
    )


def _version_of(saved: ArtifactSaved, owner: str, context: str) -> NewArtifact | None:
    """Return the version that a whole artifact becomes; None: it has no name that it could be kept by."""
    shown = a2a.Artifact()
    unpack(saved.artifact, shown)
    name = shown.name
    if not name or len(name) > MOST_KEY or "\0" in name or name.endswith(" "):
        return None
    parts = from_a2a(a2a.Message(parts=shown.parts)).parts
    artifact = Artifact(name=name, description=shown.description, parts=parts)
    if shown.HasField("metadata"):
        artifact.metadata_json = encode(shown.metadata).decode()
    return new_artifact(artifact, owner, context)


def _split(key: str) -> tuple[Scope, str]:
    """Return the scope of a key that is written, and its name there."""
    if key.startswith(OF_USER):
        return "user", key.removeprefix(OF_USER)
    if key.startswith(OF_APP):
        return "app", key.removeprefix(OF_APP)
    return "session", key


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _media_type(parts: Sequence[Part]) -> str:
    if len(parts) != 1:
        return ""
    kind = parts[0].WhichOneof("content")
    if kind == "blob":
        return parts[0].blob.media_type[:255]
    return {"text": "text/plain", "data_json": "application/json"}.get(kind or "", "")


def _is_to_change(event: RunEvent) -> bool:
    kind = event.WhichOneof("event")
    if kind == "state_changed":
        return f'"{TEMPORARY}' in event.state_changed.delta_json
    return kind == "tool_finished" and bool(
        event.tool_finished.result.state_delta_json or event.tool_finished.result.artifacts
    )
