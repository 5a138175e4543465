"""Events that give an artifact one more text: the most of a stream, with a short way of their own to JSON."""

from typing import Any

PLACE = "hector.seq"
"""Metadata of an event: where it stands in its task's log."""

Piece = tuple[dict[str, Any], str] | tuple[None, None]
"""What `to_json` would make of an event, and its place; nothing: there is more in it than one text."""

_NONE: tuple[None, None] = (None, None)


def piece_in(event: Any) -> Piece:
    """Return a StreamResponse that holds one text for an artifact, and nothing else but ids and its place."""
    update = event.artifact_update  # of another event, an empty one
    artifact, beside = update.artifact, update.metadata.fields
    parts = artifact.parts
    if len(parts) != 1 or len(beside) != 1 or PLACE not in beside:
        return _NONE
    if artifact.description or artifact.extensions or artifact.HasField("metadata"):
        return _NONE
    part, place = parts[0], beside[PLACE].string_value
    if not part.HasField("text") or part.media_type or part.filename or part.HasField("metadata"):
        return _NONE
    if not (place.isdigit() or place.replace(".", "", 1).isdigit()):
        return _NONE
    whose: dict[str, Any] = {"artifactId": artifact.artifact_id, "parts": [{"text": part.text}]}
    if artifact.name:
        whose["name"] = artifact.name
    found = {
        "taskId": update.task_id,
        "contextId": update.context_id,
        "artifact": whose,
        "metadata": {PLACE: place},
    }
    if update.append:
        found["append"] = True
    if update.last_chunk:
        found["lastChunk"] = True
    return {"artifactUpdate": found}, place
