"""How streamed pieces that wait for a slow socket travel together, by method."""

from collections.abc import Callable, Mapping
from typing import Any

import hector_a2a as a2a
from hector.llm.v1 import StreamTextResponse

PLACE = "hector.seq"
"""Metadata of an update: where it stands in its task's log."""
TEXT = frozenset({"text", "model", "response_id"})
AFTER_TEXT = TEXT | {"tool_calls", "done", "usage", "finish_reason"}
"""What a reader takes out of a piece after its text, so that the order stays as it was."""


def merge_pieces(first: StreamTextResponse, second: StreamTextResponse) -> StreamTextResponse | None:
    """Return two pieces of a model's answer as one: text, and after text the end or calls of tools."""
    if not (_holds(first, TEXT) and _holds(second, AFTER_TEXT)):
        return None
    text = first.text + second.text
    first.MergeFrom(second)
    first.text = text
    return first


def merge_updates(first: "a2a.StreamResponse", second: "a2a.StreamResponse") -> "a2a.StreamResponse | None":
    """Return two updates of a task as one: only a text that is being written is joined with more of it.

    What an agent made in pieces stays in its pieces, however the agent is reached. Neither update is changed:
    all readers of a run are given the same ones.
    """
    if first.WhichOneof("payload") != "artifact_update" or second.WhichOneof("payload") != "artifact_update":
        return None
    one, two = first.artifact_update, second.artifact_update
    same = one.artifact.artifact_id == two.artifact.artifact_id and two.append and not one.last_chunk
    if (
        not same
        or not _is_one_text(_place(one), _place(two))
        or len(one.artifact.parts) != 1
        or len(two.artifact.parts) != 1
    ):
        return None
    if not (one.artifact.parts[0].HasField("text") and two.artifact.parts[0].HasField("text")):
        return None
    joined = a2a.StreamResponse()
    joined.CopyFrom(first)
    update = joined.artifact_update
    update.artifact.parts[0].text += two.artifact.parts[0].text
    update.last_chunk = two.last_chunk
    update.metadata.CopyFrom(two.metadata)
    return joined


def _is_one_text(place: str, next_place: str) -> bool:
    """Say whether two places are in one text: `seq.offset` is inside a text, and `seq` its end."""
    seq, inside, _ = place.partition(".")
    next_seq, next_inside, _ = next_place.partition(".")
    return bool(inside) and (bool(next_inside) or next_seq == seq)


def _place(update: Any) -> str:
    # Not by [] alone: that would put an empty place in.
    return update.metadata[PLACE] if PLACE in update.metadata.fields else ""


def _holds(piece: StreamTextResponse, allowed: frozenset[str]) -> bool:
    return all(field.name in allowed for field, _ in piece.ListFields())


MERGES: Mapping[str, Callable[[Any, Any], Any]] = {
    "/hector.llm.v1.LLMProvider/StreamText": merge_pieces,
    "/lf.a2a.v1.A2AService/SendStreamingMessage": merge_updates,
    "/lf.a2a.v1.A2AService/SubscribeToTask": merge_updates,
}
