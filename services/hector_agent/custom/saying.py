"""What a handler can say, in a word each: parts, artifacts, states, metadata, a plain message.

All of it is A2A's own messages; who likes may build them by hand.
"""

from collections.abc import AsyncIterator, Mapping
from math import isfinite
from typing import Any, TypeVar, Union, cast
from uuid import uuid4

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import ListValue, Struct, Value

import hector_a2a as a2a
from hector.common.v1 import TokenUsage

Said = Union[  # noqa: UP007  a2a's names are looked up when this is made
    str,
    a2a.Part,
    a2a.Artifact,
    a2a.TaskArtifactUpdateEvent,
    a2a.TaskStatusUpdateEvent,
    a2a.Message,
    TokenUsage,
]
"""What a handler may yield, or return."""
Answering = AsyncIterator[Said]

Metadata = Mapping[str, object]
Json = TypeVar("Json", Struct, Value)


def text(text: str, *, media_type: str = "", metadata: Metadata | None = None) -> "a2a.Part":
    """Return a part that is text. A `str` says the same; this is for text of a kind, as "text/html"."""
    return a2a.Part(text=text, media_type=media_type, metadata=_struct(metadata))


def data(value: object, *, media_type: str = "", metadata: Metadata | None = None) -> "a2a.Part":
    """Return a part that is JSON: an object, a list, a string, a number, true, false or None.

    Raises:
        ValueError: There is a number in it that JSON does not have: NaN or infinity.
    """
    part = a2a.Part(media_type=media_type, metadata=_struct(metadata))
    part.data.MergeFrom(_json(value, Value()))
    return part


def file(
    content: bytes | None = None,
    *,
    url: str = "",
    name: str = "",
    media_type: str = "",
    metadata: Metadata | None = None,
) -> "a2a.Part":
    """Return a part that is a file: its content, or where it can be fetched."""
    part = a2a.Part(filename=name, media_type=media_type, metadata=_struct(metadata))
    if content is not None:
        part.raw = content
    else:
        part.url = url
    return part


def artifact(
    *parts: "str | a2a.Part",
    id: str = "",  # noqa: A002  it is A2A's word
    name: str = "",
    description: str = "",
    metadata: Metadata | None = None,
) -> "a2a.Artifact":
    """Return a whole artifact; without an id it gets one. Said again with the same id it is replaced."""
    return a2a.Artifact(
        artifact_id=id,
        name=name,
        description=description,
        parts=[_part(part) for part in parts],
        metadata=_struct(metadata),
    )


def piece(
    artifact_id: str,
    *parts: "str | a2a.Part",
    append: bool = True,
    last: bool = False,
    name: str = "",
    description: str = "",
    metadata: Metadata | None = None,
) -> "a2a.TaskArtifactUpdateEvent":
    """Return a piece of an artifact.

    Args:
        artifact_id: Which artifact.
        parts: What to add.
        append: Add them to the artifact, which must be there. False: it begins with them, or begins anew.
        last: There will be no more of it.
        name: A name to show, with the first piece.
        description: What it is, with the first piece.
        metadata: What to say beside this piece.
    """
    said = a2a.TaskArtifactUpdateEvent(append=append, last_chunk=last)
    shown = said.artifact  # filled in here, and not copied
    shown.artifact_id = artifact_id
    if name:
        shown.name = name
    if description:
        shown.description = description
    for part in parts:
        if isinstance(part, str):
            shown.parts.add().text = part
        else:
            shown.parts.append(part)
    if metadata is not None:
        said.metadata.CopyFrom(ParseDict(dict(metadata), Struct()))
    return said


def message(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.Message":
    """Return a plain message. As the only thing that is said it is the answer, and there is no task."""
    return a2a.Message(
        message_id=str(uuid4()),
        role=a2a.ROLE_AGENT,
        parts=[_part(part) for part in parts],
        metadata=_struct(metadata),
    )


def metadata(values: Metadata) -> "a2a.TaskStatusUpdateEvent":
    """Return values to be set in the task's metadata."""
    return a2a.TaskStatusUpdateEvent(metadata=_struct(values))


def spent(
    *,
    prompt_tokens: int = 0,
    completion_tokens: int = 0,
    cached_prompt_tokens: int = 0,
    reasoning_tokens: int = 0,
) -> TokenUsage:
    """Return what models cost that the handler asked by itself, to be counted with the run.

    Args:
        prompt_tokens: Tokens that were read.
        completion_tokens: Tokens that were written, thoughts included.
        cached_prompt_tokens: Those of `prompt_tokens` that came from a cache.
        reasoning_tokens: Those of `completion_tokens` that were thoughts.
    """
    return TokenUsage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
        cached_prompt_tokens=cached_prompt_tokens,
        reasoning_tokens=reasoning_tokens,
    )


def working(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.TaskStatusUpdateEvent":
    """Say how far it is. The answer goes on."""
    return _state(a2a.TASK_STATE_WORKING, parts, metadata)


def input_required(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.TaskStatusUpdateEvent":
    """Ask something, and wait for the answer: the handler ends here, and is called again with it."""
    return _state(a2a.TASK_STATE_INPUT_REQUIRED, parts, metadata)


def auth_required(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.TaskStatusUpdateEvent":
    """Wait for credentials: the handler ends here, and is called again when there is news of them."""
    return _state(a2a.TASK_STATE_AUTH_REQUIRED, parts, metadata)


def completed(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.TaskStatusUpdateEvent":
    """End well, with a last word. A handler that simply ends does the same without one."""
    return _state(a2a.TASK_STATE_COMPLETED, parts, metadata)


def failed(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.TaskStatusUpdateEvent":
    """Give up, and tell the user why."""
    return _state(a2a.TASK_STATE_FAILED, parts, metadata)


def rejected(*parts: "str | a2a.Part", metadata: Metadata | None = None) -> "a2a.TaskStatusUpdateEvent":
    """Refuse to do it, and tell the user why."""
    return _state(a2a.TASK_STATE_REJECTED, parts, metadata)


def _state(
    state: "a2a.TaskState", parts: "tuple[str | a2a.Part, ...]", values: Metadata | None
) -> "a2a.TaskStatusUpdateEvent":
    said = a2a.TaskStatusUpdateEvent(metadata=_struct(values))
    said.status.state = state
    if parts:
        said.status.message.CopyFrom(message(*parts))
    return said


def _part(part: "str | a2a.Part") -> "a2a.Part":
    return a2a.Part(text=part) if isinstance(part, str) else part


def _struct(values: Metadata | None) -> Struct | None:
    if values is None:
        return None
    return _json(dict(values), Struct())


def _json(value: object, into: Json) -> Json:
    found = ParseDict(cast("Any", value), into)
    if not _is_finite(found):
        text = "NaN and infinity are no JSON, and clients could not read them; say None, or a string"
        raise ValueError(text)
    return found


def _is_finite(found: "Value | Struct | ListValue") -> bool:
    if isinstance(found, Struct):
        return all(map(_is_finite, found.fields.values()))
    if isinstance(found, ListValue):
        return all(map(_is_finite, found.values))
    kind = found.WhichOneof("kind")
    if kind == "number_value":
        return isfinite(found.number_value)
    return kind not in ("struct_value", "list_value") or _is_finite(getattr(found, kind))
