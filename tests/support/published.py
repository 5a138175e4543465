"""Readers that take nothing that the published schemas do not know, and miss what these require."""

from collections.abc import Iterator
from typing import Any, TypeVar

from a2a.compat.v0_3 import types as v03
from google.api import field_behavior_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from pydantic import BaseModel, TypeAdapter

M = TypeVar("M", bound=Message)
B = TypeVar("B", bound=BaseModel)

EVENT: TypeAdapter[Any] = TypeAdapter(
    v03.Task | v03.Message | v03.TaskStatusUpdateEvent | v03.TaskArtifactUpdateEvent
)


def read_v1(found: Any, kind: type[M]) -> M:
    """Return a message of 1.0 from its JSON."""
    message = json_format.ParseDict(found, kind())
    absent = list(required(found, kind.DESCRIPTOR))
    assert not absent, f"A2A requires {', '.join(absent)}: {found}"
    return message


def required(found: Any, kind: Descriptor, path: str = "") -> Iterator[str]:
    """Yield what the contract calls REQUIRED and a JSON value does not have."""
    if kind.full_name.startswith("google.protobuf."):
        return
    for field in kind.fields:
        here = f"{path}.{field.json_name}"
        behavior = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        if field.json_name not in found:
            if field_behavior_pb2.REQUIRED in behavior:
                yield here
            continue
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        inner = found[field.json_name]
        for one in inner if isinstance(inner, list) else [inner]:
            yield from required(one, field.message_type, here)


def read_v03(found: Any, kind: type[B]) -> B:
    """Return a value of 0.3 from its JSON."""
    return same(found, kind.model_validate(found))


def read_event_v03(found: Any) -> Any:
    """Return whichever of 0.3's results or events this is; its `kind` must say so."""
    assert found["kind"] in ("task", "message", "status-update", "artifact-update"), found
    value = same(found, EVENT.validate_python(found))
    assert value.kind == found["kind"]
    return value


def same(found: Any, value: B) -> B:
    """Return the value if nothing was lost on the way."""
    again = value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert again == found, f"members that 0.3 does not know: {again} != {found}"
    return value
