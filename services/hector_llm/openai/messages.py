"""Conversations, from our messages to the list that chat completions take."""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    Message,
    Part,
    ToolResult,
)
from hector_llm.errors import ModelRefused

Wire = dict[str, Any]

_NAMES = {ROLE_SYSTEM: "system", ROLE_USER: "user", ROLE_ASSISTANT: "assistant"}
_speakable = re.compile(r"[a-zA-Z0-9_-]{1,64}").fullmatch
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def wire_messages(prompt: str, messages: Sequence[Message], tool_output_limit: int) -> list[Wire]:
    """Return a conversation as the API wants it.

    Args:
        prompt: The conversation if there are no messages: one of the user's.
        messages: Oldest first.
        tool_output_limit: Most characters of one tool result; 0 is no limit.

    Raises:
        ModelRefused: A part is of a kind that chat completions have no place for.
    """
    if not messages:
        return [{"role": "user", "content": prompt}]
    wire: list[Wire] = []
    for message in messages:
        if message.role == ROLE_ASSISTANT:
            wire.append(_assistant(message))
        elif message.role == ROLE_TOOL:
            wire.extend(_results(message, tool_output_limit))
        else:
            wire.append(_said(message))
    return wire


def _said(message: Message) -> Wire:
    parts = message.parts
    wire: Wire = {"role": _NAMES.get(message.role, "user")}
    if len(parts) == 1 and parts[0].WhichOneof("content") == "text":
        wire["content"] = parts[0].text
    else:
        content = [piece for part in parts if (piece := _piece(part)) is not None]
        texts = [piece["text"] for piece in content if piece["type"] == "text"]
        # Plain text for all that is plain text: many servers know nothing else.
        wire["content"] = "\n".join(texts) if len(texts) == len(content) else content
    if message.name and _speakable(message.name):
        wire["name"] = message.name
    return wire


def _assistant(message: Message) -> Wire:
    texts, calls = [], []
    for part in message.parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            texts.append(part.text)
        elif kind == "data_json":
            texts.append(part.data_json)
        elif kind == "tool_call":
            call = part.tool_call
            function = {"name": call.name, "arguments": _object(call.arguments_json)}
            calls.append({"id": call.id, "type": "function", "function": function})
    text = "".join(texts)
    wire: Wire = {"role": "assistant", "content": text if text or not calls else None}
    if calls:
        wire["tool_calls"] = calls
    return wire


def _object(arguments: str) -> str:
    """Return arguments that parse: servers that read them answer 500 to what a model got wrong earlier."""
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return orjson.dumps({"invalid_json": arguments}).decode() if arguments.strip() else "{}"
    return arguments


def _results(message: Message, limit: int) -> Iterable[Wire]:
    shown: list[Wire] = []
    for part in message.parts:
        if part.WhichOneof("content") != "tool_result":
            continue
        result = part.tool_result
        yield {"role": "tool", "tool_call_id": result.tool_call_id, "content": _text_of(result, limit)}
        shown += (piece for each in result.parts if each.HasField("blob") and (piece := _piece(each)))
    if shown:
        # A tool message holds text only; what the tool showed follows as if the user had sent it.
        yield {"role": "user", "content": [{"type": "text", "text": "From the tool:"}, *shown]}


def _text_of(result: ToolResult, limit: int) -> str:
    texts = []
    for part in result.parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            texts.append(part.text)
        elif kind == "data_json":
            texts.append(part.data_json)
        elif kind == "blob":
            texts.append(f"[{part.blob.media_type}, shown below]")
    text = "\n".join(texts)
    if limit and len(text) > limit:
        text = f"{text[:limit]}\n[{len(text) - limit} more characters left out]"
    return f"Error: {text}" if result.error and not text.lower().startswith("error") else text


def _piece(part: Part) -> Wire | None:
    kind = part.WhichOneof("content")
    if kind == "text":
        return {"type": "text", "text": part.text}
    if kind == "data_json":
        return {"type": "text", "text": part.data_json}
    if kind == "blob":
        return _blob(part.blob)
    return None


def _blob(blob: Blob) -> Wire:
    media_type = blob.media_type.partition(";")[0].strip().lower()
    if media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": blob.uri or _data_url(blob)}}
    if blob.data and media_type in _SOUNDS:
        sound = {"data": base64.b64encode(blob.data).decode(), "format": _SOUNDS[media_type]}
        return {"type": "input_audio", "input_audio": sound}
    if blob.data and media_type == "application/pdf":
        return {"type": "file", "file": {"filename": blob.name or "file.pdf", "file_data": _data_url(blob)}}
    if blob.data and (media_type.startswith("text/") or media_type == "application/json"):
        text = blob.data.decode("utf-8", "replace")
        return {"type": "text", "text": f"{blob.name}:\n{text}" if blob.name else text}
    where = "by address" if blob.uri else "as bytes"
    raise ModelRefused(
        f"chat completions take no {blob.media_type or 'bytes of unknown type'} {where}; "
        "they take text, pictures, wav and mp3 sound and PDF files",
        media_type=blob.media_type,
    )


def _data_url(blob: Blob) -> str:
    return f"data:{blob.media_type};base64,{base64.b64encode(blob.data).decode()}"
